//! Recipes for learning platforms: which there are, and a test that enrols nobody.

use axum::Json;
use axum::extract::State;

use serde_json::json;

use lms::{Buyer, Failure, PlannedRequest, Recipe, Run};

use super::Desk;
use super::audit::recorded;
use crate::enrolment::EnrolmentSpec;
use crate::http::problem::{Answer, Given};
use crate::views::{Problem, RecipeNeed, RecipeRequest, RecipeRow, RecipeTest, RecipeTestRequest};

/// The recipes that come along, with what a course has to say to use each.
#[utoipa::path(get, path = "/admin/api/recipes", tag = "catalogue",
    responses((status = 200, body = Vec<RecipeRow>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn recipes() -> Json<Vec<RecipeRow>> {
    Json(lms::ready().iter().map(row).collect())
}

/// Shows what an enrolment would send, and asks the platform whether somebody is a student. Changes nothing there.
#[utoipa::path(post, path = "/admin/api/recipes/test", tag = "catalogue", request_body = RecipeTestRequest,
    responses((status = 200, body = RecipeTest), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn test_recipe(
    State(desk): State<Desk>,
    Given(request): Given<RecipeTestRequest>,
) -> Answer<Json<RecipeTest>> {
    let spec =
        EnrolmentSpec::parse(request.enrolment).map_err(|why| Problem::bad(format!("enrolment: {why}")))?;
    if !request.email.contains('@') || request.email.chars().any(char::is_whitespace) {
        return Err(Problem::bad("email: the address of somebody, as in lan@example.com"));
    }
    let recipe = spec.recipe().map_err(Problem::bad)?;
    let spec_name = recipe.name.clone();
    let now = desk.now();
    let secrets = spec.secrets(recipe, &desk.credentials, now).await?;
    let buyer = Buyer { email: request.email, name: request.name };
    let facts = spec.facts(buyer, ("", ""), "DH000000", now, spec.until(now), secrets);
    let requests = lms::plan(recipe, &facts).map_err(|failure| Problem::bad(failure.detail))?;
    let requests = requests.into_iter().map(shown).collect();
    let (state, failure) = if request.dry_run {
        ("dry_run", None)
    } else {
        match probe(recipe, &facts).await {
            Ok(true) => ("enrolled", None),
            Ok(false) => ("not_enrolled", None),
            Err(failure) => ("failed", Some(failure)),
        }
    };
    recorded(&desk, "recipe.test", &spec_name, json!({ "state": state })).await?;
    Ok(Json(RecipeTest {
        state: state.to_owned(),
        code: failure.as_ref().map(|failure| failure.kind.code().to_owned()),
        detail: failure.map(|failure| failure.detail),
        requests,
    }))
}

async fn probe(recipe: &Recipe, facts: &lms::Facts) -> Result<bool, Failure> {
    let caller = lms::Caller::new()?;
    Run::new(&caller, recipe, facts, &|_| ())?.probe().await
}

fn row(recipe: &Recipe) -> RecipeRow {
    let secret = |(name, about): (&String, &String)| RecipeNeed {
        name: name.clone(),
        about: about.clone(),
        default: None,
    };
    let field = |(name, field): (&String, &lms::Field)| RecipeNeed {
        name: name.clone(),
        about: field.about.clone(),
        default: field.default.clone(),
    };
    RecipeRow {
        name: recipe.name.clone(),
        title: recipe.title.clone(),
        about: recipe.about.clone(),
        base_url: recipe.base_url.clone(),
        course: recipe.course.clone(),
        secrets: recipe.secrets.iter().map(secret).collect(),
        fields: recipe.fields.iter().map(field).collect(),
        can_unenrol: recipe.unenrol.is_some(),
    }
}

fn shown(request: PlannedRequest) -> RecipeRequest {
    RecipeRequest {
        part: request.part.to_owned(),
        step: request.step,
        method: request.method.to_owned(),
        url: request.url,
        when: request.when,
        headers: request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect(),
        body: request.body,
    }
}
