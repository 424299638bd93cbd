//! What `docs/downloader.md` promises to those who write one.

use std::path::Path;
use std::sync::atomic::Ordering;

use chotdon_core::workers::{ErrorClass, StageError};
use chotdon_tests::nginx::Nginx;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::bench::Bench;

fn kind(error: &StageError) -> (ErrorClass, &'static str) {
    (error.class, error.code)
}

#[tokio::test]
async fn a_program_gets_an_empty_place_and_leaves_a_course_there() {
    let mut bench = Bench::new();
    bench.env.insert("LIBRARY".to_owned(), "a & b".to_owned());
    let spec = bench.script(
        r#"read -r asked; env | sort > env.txt; ls -A > before.txt; echo "$asked" > asked.json
        echo '{"done":5,"total":10,"item":"Chương 1"}'; echo 'no json'; echo '{"other":1}'
        mkdir -p 'Chương 1'; printf hello > 'Chương 1/Bài 1.txt'; printf mine > .state; echo $PWD"#,
    );
    let manifest = bench.fetch(&spec, Some("s3cret-of-the-library")).await.unwrap();
    let paths: Vec<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["Chương 1/Bài 1.txt", "asked.json", "before.txt", "env.txt"], "not .state");
    assert_eq!(manifest.files[0].sha256, hex::encode(Sha256::digest("hello")));
    assert_eq!(bench.taken("before.txt"), "before.txt\nenv.txt\n", "nothing but its own");
    let asked: Value = serde_json::from_str(&bench.taken("asked.json")).unwrap();
    assert_eq!(asked, json!({"course": "rust-101", "version": 3, "secret": "s3cret-of-the-library"}));

    let env = bench.taken("env.txt");
    let names: Vec<&str> = env.lines().filter_map(|line| line.split('=').next()).collect();
    let known = [
        "CHOTDON_DIR",
        "CHOTDON_KEEP",
        "CHOTDON_RUN",
        "HOME",
        "LANG",
        "LC_ALL",
        "LIBRARY",
        "PATH",
        "PWD",
        "TMPDIR",
    ];
    assert!(names.iter().all(|name| known.contains(name)), "{env}");
    assert!(env.contains("LIBRARY=a & b\n") && !env.contains("s3cret"), "{env}");
    assert!(!bench.staging().join("program/files").exists(), "cleared away");
    assert_eq!(bench.meter.item.lock().unwrap().as_deref(), Some("env.txt"));
}

#[tokio::test]
async fn progress_lines_are_seen() {
    let bench = Bench::new();
    let pipe = bench.pipe("pipe");
    let text = format!(
        "echo '{{\"done\":5,\"total\":10,\"item\":\"Chương 1\"}}'; read -r _ < {}; exit 1",
        pipe.display()
    );
    let spec = bench.script(&text);
    let watching = async {
        // Opening the pipe waits for the program, which opens it after its line.
        let pipe = tokio::task::spawn_blocking(move || std::fs::write(pipe, "\n"));
        pipe.await.unwrap().unwrap();
    };
    let (result, ()) = tokio::join!(bench.fetch(&spec, None), watching);
    assert_eq!(kind(&result.unwrap_err()), (ErrorClass::Permanent, "downloader_failed"));
    assert_eq!(
        (bench.meter.done.load(Ordering::Relaxed), bench.meter.total.load(Ordering::Relaxed)),
        (5, 10)
    );
    assert_eq!(bench.meter.item.lock().unwrap().as_deref(), Some("Chương 1"));
}

#[tokio::test]
async fn exit_codes_decide_whether_trying_again_helps() {
    let (permanent, transient) = (ErrorClass::Permanent, ErrorClass::Transient);
    for (script, expected, words) in [
        ("exit 75", (transient, "downloader_temporary"), ""),
        ("echo busy >&2; exit 75", (transient, "downloader_temporary"), "busy"),
        (
            "echo 'no such course' >&2; exit 3",
            (permanent, "downloader_failed"),
            "exit code 3: no such course",
        ),
        ("echo '{\"error\":\"closed\"}'; echo noise >&2; exit 1", (permanent, "downloader_failed"), "closed"),
        ("kill -9 $$", (transient, "downloader_temporary"), "signal 9"),
        ("exit 0", (permanent, "downloader_empty"), "nothing was left"),
    ] {
        let bench = Bench::new();
        let error = bench.fetch(&bench.script(script), None).await.unwrap_err();
        assert_eq!(kind(&error), expected, "{script}: {error}");
        assert!(error.detail.contains(words), "{script}: {error}");
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_is_the_owners_to_put_right() {
    let bench = Bench::new();
    std::fs::write(bench.path("plain"), "text").unwrap();
    std::fs::write(bench.path("broken"), "#!/nowhere/interpreter\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(bench.path("broken"), mode).unwrap();
    for name in ["nothing", "plain", "broken", "."] {
        let spec = bench.program(&bench.path(name), &[]);
        let error = bench.fetch(&spec, None).await.unwrap_err();
        assert_eq!(kind(&error), (ErrorClass::Permanent, "downloader_missing"), "{name}: {error}");
    }
    let error = bench.fetch(&bench.program(Path::new("relative"), &[]), None).await.unwrap_err();
    assert_eq!(kind(&error), (ErrorClass::Permanent, "source_invalid"));
}

#[tokio::test]
async fn what_was_announced_is_what_has_to_be_there() {
    let sum = hex::encode(Sha256::digest("aa"));
    let line = |path: &str, more: &str| format!("echo '{{\"file\":{{\"path\":\"{path}\"{more}}}}}'; ");
    for (announced, fits) in [
        (line("a", ""), true),
        (line("a", ",\"size\":2"), true),
        (line("a", &format!(",\"size\":2,\"sha256\":\"{}\"", sum.to_uppercase())), true),
        (line("a", ",\"size\":3"), false),
        (line("a", &format!(",\"sha256\":\"{}\"", "0".repeat(64))), false),
        (line("a", "") + &line("b", ""), false),
        (line("b", ""), false),
    ] {
        let bench = Bench::new();
        let result = bench.fetch(&bench.script(&format!("{announced} printf aa > a")), None).await;
        match result {
            Ok(_) => assert!(fits, "{announced}"),
            Err(error) => {
                assert!(!fits, "{announced}: {error}");
                assert_eq!(
                    kind(&error),
                    (ErrorClass::Transient, "checksum_mismatch"),
                    "{announced}: {error}"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_a_program_keeps_is_there_at_its_next_attempt() {
    let bench = Bench::new();
    let spec = bench.script("if [ -f \"$CHOTDON_KEEP/part\" ]; then cp \"$CHOTDON_KEEP/part\" a; else printf part > \"$CHOTDON_KEEP/part\"; printf lost > b; exit 75; fi");
    bench.fetch(&spec, None).await.unwrap_err();
    let manifest = bench.fetch(&spec, None).await.unwrap();
    assert_eq!(manifest.files.len(), 1, "and nothing of the first attempt's directory");
    assert_eq!(bench.taken("a"), "part");
}

#[tokio::test]
async fn the_sample_fetches_a_course_and_goes_on_where_it_stopped() {
    let mut bench = Bench::new();
    let video = "0123456789abcdef".repeat(200_000);
    let www = bench.path("www");
    std::fs::create_dir_all(www.join("rust-101/Chương 1")).unwrap();
    std::fs::write(www.join("rust-101/Chương 1/Bài 1.mp4"), &video).unwrap();
    let sum = hex::encode(Sha256::digest(&video));
    let list = json!([{"path": "Chương 1/Bài 1.mp4", "size": video.len(), "sha256": sum}]);
    std::fs::write(www.join("rust-101.json"), list.to_string()).unwrap();
    let nginx = Nginx::start(&www, "if ($http_authorization != 'Bearer key-of-the-library') { return 403; }")
        .unwrap();
    bench.env.insert("LIBRARY".to_owned(), nginx.url(""));
    let sample =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/downloader/sample.py").canonicalize().unwrap();
    let spec = bench.program(&sample, &[]);

    let error = bench.fetch(&spec, Some("wrong-key")).await.unwrap_err();
    assert_eq!(
        (kind(&error), error.detail.contains("403")),
        ((ErrorClass::Permanent, "downloader_failed"), true)
    );
    let keep = bench.staging().join("program/keep");
    std::fs::write(keep.join("Ch%C6%B0%C6%A1ng%201%2FB%C3%A0i%201.mp4"), &video[..1_000_000]).unwrap();
    let manifest = bench.fetch(&spec, Some("key-of-the-library")).await.unwrap();
    assert_eq!(manifest.files[0].sha256, sum);
    assert_eq!(bench.taken("Chương 1/Bài 1.mp4"), video);
    let requests = nginx.requests().unwrap();
    assert!(requests.last().unwrap().contains(" 206 range=bytes=1000000-"), "{requests:?}");
}
