//! The owner's own words: what is refused, what becomes a file, what comes back.

use std::fs;

use super::super::built_in::{LANGUAGES, TEMPLATES, template};
use super::*;

const NOW: i64 = 1_797_924_600_000;

fn occasion() -> Occasion {
    Occasion::full("vi", "Khoá học An", NOW)
}

fn texts<const N: usize>(texts: [(&'static str, &str); N]) -> Texts {
    texts.into_iter().map(|(part, text)| (part, text.to_owned())).collect()
}

fn delivered() -> &'static Template {
    template("delivered").expect("it is built in")
}

async fn save(templates: &Templates, given: Texts) -> Result<Vec<&'static str>, Refused> {
    templates.save(delivered(), "vi", given, None, occasion()).await
}

async fn wrong(
    templates: &Templates,
    part: &'static str,
    text: &str,
) -> (&'static str, Option<usize>, Option<String>) {
    match save(templates, texts([(part, text)])).await {
        Err(Refused::Wrong(mistakes)) => (mistakes[0].code, mistakes[0].line, mistakes[0].name.clone()),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn ours_have_no_mistakes() {
    for one in &TEMPLATES {
        for lang in LANGUAGES {
            let found = mistakes(&Sources::default(), one, lang, &Occasion::full(lang, "", NOW));
            assert_eq!(found, Vec::<Mistake>::new(), "{} {lang}", one.name);
        }
    }
}

#[tokio::test]
async fn what_is_wrong_is_named_with_its_line_and_nothing_is_saved() {
    let dir = tempfile::tempdir().expect("a directory");
    let templates = Templates::new(dir.path().join("templates"));
    let name = |word: &str| Some(word.to_owned());
    for (part, text, expected) in [
        ("text", "Chào\n{{ customer_nam }}", ("unknown_name", Some(2), name("customer_nam"))),
        ("text", "a\nb\n{{ 1 + }}", ("syntax", Some(3), None)),
        ("html", "{% if %}", ("syntax", Some(1), None)),
        ("html", "<p>\n{{ shop_name | shout }}", ("unknown_word", Some(2), None)),
        ("subject", "   \n ", ("empty", None, None)),
        ("subject", "{{ order_code.name.x }}", ("unknown_name", Some(1), name("order_code.name.x"))),
        // In branches that no example takes, and behind a question.
        (
            "text",
            "x\n{% if shop_name == \"\" %}{{ oder_code }}{% endif %}",
            ("unknown_name", Some(2), name("oder_code")),
        ),
        (
            "text",
            "x\n\n{% if custommer_name %}a{% endif %}",
            ("unknown_name", Some(3), name("custommer_name")),
        ),
        (
            "text",
            "{% for item in items %}\n{% if item.acount %}x{% endif %}{% endfor %}y",
            ("unknown_name", Some(2), name("item.acount")),
        ),
        ("html", "{% include \"_foot\" %}", ("missing_part", Some(1), None)),
        (
            "text",
            "{% for a in range(9000) %}{% for b in range(9000) %}x{% endfor %}{% endfor %}",
            ("too_long", Some(1), None),
        ),
    ] {
        assert_eq!(wrong(&templates, part, text).await, expected, "{text}");
    }
    let big = "x".repeat(LARGEST_PART + 1);
    assert_eq!(wrong(&templates, "html", &big).await.0, "too_large");
    assert!(!dir.path().join("templates").exists(), "nothing was saved");
}

#[tokio::test]
async fn own_words_are_files_for_the_owner_only_and_ours_come_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let folder = dir.path().join("templates");
    let templates = Templates::new(&folder);
    let changed =
        save(&templates, texts([("subject", "Xong: {{ order_code }}"), ("text", "Chào\r\nbạn")])).await;
    assert_eq!(changed.expect("saved"), ["subject", "text"]);
    assert_eq!(fs::read_to_string(folder.join("delivered.vi.text")).expect("a file"), "Chào\nbạn\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join("delivered.vi.text"))), (0o700, 0o600));
    }
    // What is ours again needs no file.
    let ours = built_in("delivered.vi.text").expect("built in");
    assert_eq!(save(&templates, texts([("text", ours)])).await.expect("saved"), ["text"]);
    assert!(!folder.join("delivered.vi.text").exists());
    assert_eq!(templates.reset(delivered(), "vi").await.expect("reset"), ["subject"]);
    assert_eq!(fs::read_dir(&folder).expect("readable").count(), 0);
    assert!(templates.reset(delivered(), "vi").await.expect("reset").is_empty());
}

#[tokio::test]
async fn who_edits_what_changed_meanwhile_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let templates = Templates::new(dir.path());
    let seen = templates.held(delivered(), "vi", occasion()).await.expect("held").version;
    fs::write(dir.path().join("delivered.vi.text"), "Bằng tay\n").expect("written");
    let late =
        templates.save(delivered(), "vi", texts([("text", "Trong app")]), Some(seen), occasion()).await;
    assert!(matches!(late, Err(Refused::Changed)), "{late:?}");
    let held = templates.held(delivered(), "vi", occasion()).await.expect("held");
    assert_eq!((held.parts[1].text.as_str(), held.parts[1].own), ("Bằng tay\n", true));
    let now = templates
        .save(delivered(), "vi", texts([("text", "Trong app")]), Some(held.version), occasion())
        .await;
    assert_eq!(now.expect("the control"), ["text"]);
}

#[tokio::test]
async fn a_shared_part_is_tried_in_every_mail() {
    let dir = tempfile::tempdir().expect("a directory");
    let templates = Templates::new(dir.path());
    let frame = template("_frame").expect("built in");
    let put = |text: &'static str| templates.save(frame, "vi", texts([("text", text)]), None, occasion());
    // Only some mails are given a list of courses.
    match put("{% block body %}{% endblock %}\n{{ items }}\n").await {
        Err(Refused::Wrong(mistakes)) => {
            assert_eq!(mistakes[0].to_string().split(' ').next(), Some("_frame.vi.text:2:"))
        }
        other => panic!("{other:?}"),
    }
    put("{% block body %}{% endblock %}\n-- {{ shop_name }}\n").await.expect("saved");
    let tried =
        templates.tried(delivered(), "vi", Texts::new(), occasion(), occasion()).await.expect("tried");
    assert!(tried.text.expect("rendered").ends_with("-- Khoá học An\n"));
}

#[tokio::test]
async fn files_that_were_broken_by_hand_can_be_mended_one_by_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let templates = Templates::new(dir.path());
    fs::write(dir.path().join("_frame.vi.html"), "{% block body %}{% endblock %}{{ no_such }}")
        .expect("written");
    fs::write(dir.path().join("delivered.vi.html"), [0xff, 0xfe]).expect("written");
    let report = templates.report("vi", occasion()).await.expect("a report");
    let of = |name: &str| report.iter().find(|(one, ..)| one.name == name).expect("listed");
    assert_eq!(of("delivered").2[0].code, "unreadable");
    assert!(of("topup").2.iter().any(|mistake| mistake.file == "_frame.vi.html"), "{:?}", of("topup").2);

    save(&templates, texts([("html", "<p>{{ order_code }}</p>")])).await.expect("the frame is not its fault");
    let frame = template("_frame").expect("built in");
    let mended = texts([("html", "{% block body %}{% endblock %}<p>{{ shop_name }}</p>")]);
    templates.save(frame, "vi", mended, None, occasion()).await.expect("mended");
    let report = templates.report("vi", occasion()).await.expect("a report");
    assert!(report.iter().all(|(.., wrong)| wrong.is_empty()), "{report:?}");
}
