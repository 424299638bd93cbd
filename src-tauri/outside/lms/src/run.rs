//! One buyer, one course, one platform: carries a recipe out, step by step, over one client.

use std::time::Duration;

use minijinja::Value;
use reqwest::{Client, redirect};
use serde_json::{Map, json};
use url::Url;

use crate::answer::Answer;
use crate::facts::{Facts, Mask};
use crate::failure::{Failure, Kind};
use crate::recipe::{Method, Recipe, Step};
use crate::request::{Request, Views};
use crate::template::{self, Place};

/// The longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// The longest wait for a whole answer.
const TIMEOUT: Duration = Duration::from_secs(40);
/// Redirects that are followed, on the same host.
const MAX_REDIRECTS: usize = 3;

/// The HTTP client of all platforms. Cheap to clone; one per program.
#[derive(Debug, Clone)]
pub struct Caller(Client);

impl Caller {
    /// A client that connects within 15 s, gives up after 40 s, and follows no redirect by itself.
    ///
    /// # Errors
    /// [`Kind::Unreachable`] when the machine's TLS cannot be set up.
    pub fn new() -> Result<Self, Failure> {
        Client::builder()
            .user_agent(concat!("ChotDon/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .build()
            .map(Self)
            .map_err(|error| Failure::new(Kind::Unreachable, format!("no HTTP client: {error}")))
    }
}

/// A recipe being carried out. Drop it to stop; what was asked for last may have been done.
pub struct Run<'a> {
    caller: &'a Caller,
    recipe: &'a Recipe,
    base: Url,
    hosts: Vec<String>,
    facts: Map<String, serde_json::Value>,
    secrets: Value,
    got: Map<String, serde_json::Value>,
    mask: Mask,
    started: bool,
    watch: &'a (dyn Fn(&str) + Send + Sync),
}

impl<'a> Run<'a> {
    /// Gets ready without asking anybody anything. `watch` hears the name of each step before it is done.
    ///
    /// # Errors
    /// [`Kind::Recipe`] for settings that are missing or wrong, [`Kind::Unauthorized`] for a secret that is not set.
    pub fn new(
        caller: &'a Caller,
        recipe: &'a Recipe,
        facts: &Facts,
        watch: &'a (dyn Fn(&str) + Send + Sync),
    ) -> Result<Self, Failure> {
        let base = facts.base(recipe)?;
        let mut hosts = vec![host(&base)];
        hosts.extend(recipe.hosts.iter().map(|name| name.to_lowercase()));
        Ok(Self {
            caller,
            recipe,
            hosts,
            facts: facts.context(recipe)?,
            secrets: facts.secrets(recipe)?,
            got: recipe
                .steps()
                .flat_map(|(_, step)| step.capture.keys())
                .map(|name| (name.clone(), serde_json::Value::Null))
                .collect(),
            mask: facts.mask(),
            started: false,
            watch,
            base,
        })
    }

    /// Gives back what an earlier run kept, so that account and enrolment are found whatever became of the address.
    pub fn remember(&mut self, kept: &Map<String, serde_json::Value>) {
        for name in &self.recipe.keep {
            if let Some(value) = kept.get(name) {
                self.got.insert(name.clone(), value.clone());
            }
        }
    }

    /// Whether the buyer is a student of the course. Changes nothing there.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn probe(&mut self) -> Result<bool, Failure> {
        let recipe = self.recipe;
        self.steps(&recipe.probe.steps).await?;
        self.holds(&recipe.probe.enrolled)
    }

    /// Makes the buyer a student and looks whether they are one.
    ///
    /// # Errors
    /// [`Kind::NotVerified`] when they are not, or another [`Failure`]; then they may be one all the same.
    pub async fn enrol(&mut self) -> Result<(), Failure> {
        let recipe = self.recipe;
        self.steps(&recipe.enrol.steps).await?;
        if let Some(test) = &recipe.enrol.verified
            && self.holds(test)?
        {
            return Ok(());
        }
        if self.probe().await? {
            return Ok(());
        }
        Err(self.failure(Kind::NotVerified, "every step went well, but the buyer is not in the course"))
    }

    /// Takes the buyer out of the course and looks whether they are out. Who is not in it is left alone.
    ///
    /// # Errors
    /// [`Kind::ByHand`] when the recipe does not say how, [`Kind::NotVerified`] when they are still in, or another
    /// [`Failure`].
    pub async fn unenrol(&mut self) -> Result<(), Failure> {
        let recipe = self.recipe;
        let enrolled = self.probe().await?;
        if !enrolled && !recipe.unenrol.as_ref().is_some_and(|part| part.always) {
            return Ok(());
        }
        let Some(part) = &recipe.unenrol else {
            return Err(self.failure(Kind::ByHand, "the recipe does not say how to take access back"));
        };
        self.steps(&part.steps).await?;
        if self.probe().await? {
            return Err(
                self.failure(Kind::NotVerified, "every step went well, but the buyer is still in the course")
            );
        }
        Ok(())
    }

    /// What is to be kept for taking access back.
    #[must_use]
    pub fn kept(&self) -> Map<String, serde_json::Value> {
        let kept = self.recipe.keep.iter().filter_map(|name| {
            let value = self.got.get(name).filter(|value| !value.is_null())?;
            Some((name.clone(), value.clone()))
        });
        kept.collect()
    }

    /// Where the buyer learns; `None` when the recipe does not say.
    ///
    /// # Errors
    /// [`Kind::Recipe`] when the template asks for what is not there.
    pub fn learn_url(&self) -> Result<Option<String>, Failure> {
        let Some(source) = &self.recipe.learn_url else { return Ok(None) };
        template::text(Place::Url, source, &self.views().open)
            .map(Some)
            .map_err(|error| self.failure(Kind::Recipe, &format!("learn_url: {error}")))
    }

    async fn steps(&mut self, steps: &[Step]) -> Result<(), Failure> {
        if !self.started {
            self.started = true;
            for step in &self.recipe.start {
                self.step(step).await?;
            }
        }
        for step in steps {
            self.step(step).await?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), Failure> {
        if let Some(test) = &step.when
            && !self.holds(test)?
        {
            return Ok(());
        }
        (self.watch)(&step.name);
        let done = self.ask(step).await;
        done.map_err(|failure| {
            let detail = format!("{}, step {}: {}", host(&self.base), step.name, failure.detail);
            Failure { detail: self.mask.apply(&detail), ..failure }
        })
    }

    async fn ask(&mut self, step: &Step) -> Result<(), Failure> {
        let views = self.views();
        let mut request = Request::new(step, &views)?;
        let mut answer = self.send(&request).await?;
        // Only what changes nothing is asked again elsewhere.
        for _ in 0..MAX_REDIRECTS {
            if step.method != Method::Get {
                break;
            }
            let Some(location) = answer.location() else { break };
            let to = request
                .url
                .join(location)
                .map_err(|_| Failure::new(Kind::Unclear, "it redirects to no address"))?;
            if to.origin() != request.url.origin() {
                let detail = format!("it redirects to {}, which the recipe does not name", host(&to));
                return Err(Failure::new(Kind::ForeignHost, detail));
            }
            request.url = to;
            answer = self.send(&request).await?;
        }
        let mut context = self.facts.clone();
        context.insert("got".to_owned(), serde_json::Value::Object(self.got.clone()));
        answer.judge(self.recipe, step, &context)?;
        for (name, capture) in &step.capture {
            let value = answer.capture(name, capture, &context)?.unwrap_or_default();
            if capture.secret
                && let Some(text) = value.as_str()
            {
                self.mask.add(text);
            }
            self.got.insert(name.clone(), value);
        }
        Ok(())
    }

    async fn send(&self, request: &Request) -> Result<Answer, Failure> {
        let name = host(&request.url);
        let near = request.url.scheme() == self.base.scheme() || request.url.scheme() == "https";
        if !self.hosts.contains(&name) || !near {
            let detail = format!("{}://{name} is not among the recipe's hosts", request.url.scheme());
            return Err(Failure::new(Kind::ForeignHost, detail));
        }
        let mut sent = self
            .caller
            .0
            .request(request.method.http(), request.url.clone())
            .headers(request.headers.clone());
        if !request.headers.contains_key(reqwest::header::ACCEPT) {
            sent = sent.header(reqwest::header::ACCEPT, "application/json");
        }
        if let Some(body) = &request.body {
            sent = sent.body(body.clone());
        }
        // The words of the error would hold the address with the buyer in it; its kind is enough.
        let answered = sent.send().await.map_err(|error| {
            let what = if error.is_timeout() {
                "no answer in time"
            } else if error.is_connect() {
                "no connection"
            } else {
                "the connection broke off"
            };
            Failure::new(Kind::Unreachable, what)
        })?;
        Answer::read(answered).await
    }

    fn holds(&self, test: &str) -> Result<bool, Failure> {
        template::test(test, &self.views().open)
            .map_err(|error| self.failure(Kind::Recipe, &format!("the test `{test}`: {error}")))
    }

    fn views(&self) -> Views {
        let hidden: Vec<&str> = self.recipe.secret_captures().collect();
        let mut context = self.facts.clone();
        context.insert("got".to_owned(), serde_json::Value::Object(self.got.clone()));
        let all = template::seen(&serde_json::Value::Object(context.clone()));
        let open: Map<_, _> =
            self.got.clone().into_iter().filter(|(name, _)| !hidden.contains(&name.as_str())).collect();
        context.insert("got".to_owned(), json!(open));
        let open = template::seen(&serde_json::Value::Object(context));
        let base = Value::from_safe_string(self.base.as_str().trim_end_matches('/').to_owned());
        Views {
            open: minijinja::context! { base_url => base.clone(), ..open },
            with_secrets: minijinja::context! { base_url => base, secrets => self.secrets.clone(), ..all },
        }
    }

    fn failure(&self, kind: Kind, what: &str) -> Failure {
        Failure::new(kind, self.mask.apply(&format!("{}: {what}", host(&self.base))))
    }
}

/// Host, with the port where it is not the scheme's own.
pub(crate) fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
}
