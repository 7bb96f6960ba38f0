//! What takes a running lab away, and what does not.

use super::*;

/// Bodies in which nothing is written, as their sender calls them.
const NOTHING: [(&str, &[u8]); 10] = [
    ("", b""),
    ("application/toml", b""),
    ("application/json", b""),
    ("application/json", b" \n"),
    ("application/json", b"{}"),
    ("application/json", b"[]"),
    ("application/json", b"{\"port\": {}, \"route\": [], \"switch\": {}}"),
    ("application/toml", b" \n\t\r\n"),
    ("application/toml", b"# a comment\n\n# another\n"),
    ("application/toml", b"\xef\xbb\xbf[bridge]\n[switch]\n"),
];

#[tokio::test]
async fn a_body_that_says_nothing_takes_nothing_away() {
    let running = with_lab().await;
    let before = running.client.lab().await.unwrap();
    for (kind, body) in NOTHING {
        for path in ["/v1/lab", "/v1/lab?dry_run=true", "/v1/lab?empty=false"] {
            let (status, sentence) = running.ask("PUT", path, kind, body).await;
            assert_eq!(status, 400, "{kind} {body:?}");
            assert!(sentence.contains("is not taken for the empty lab"), "{sentence}");
            assert!(sentence.contains("`empty = true`"), "{sentence}");
        }
    }
    assert_eq!(running.client.lab().await.unwrap(), before);
}

#[tokio::test]
async fn a_body_that_says_nothing_is_refused_by_an_empty_lab_too() {
    let running = running();
    for (kind, body) in NOTHING {
        assert_eq!(running.ask("PUT", "/v1/lab", kind, body).await.0, 400, "{kind} {body:?}");
    }
}

#[tokio::test]
async fn settings_alone_empty_no_lab_unless_they_say_so() {
    let running = with_lab().await;
    let settings = b"[switch]\nneighbors = 4000\n";
    let (status, sentence) = running.ask("PUT", "/v1/lab", "", settings).await;
    assert_eq!(status, 400);
    let start = "the running lab has 2 bridges, 1 route, 1 masquerade rule, 1 published port, and";
    assert!(sentence.starts_with(start), "{sentence}");
    let (status, _) = running.ask("PUT", "/v1/lab?dry_run=true", "", settings).await;
    assert_eq!(status, 400, "a dry run answers as the change would");
    assert_eq!(running.client.bridges().await.unwrap().len(), 2);
    let said = [b"empty = true\n", &settings[..]].concat();
    assert_eq!(running.ask("PUT", "/v1/lab", "", &said).await.0, 200);
    assert_eq!(running.client.bridges().await.unwrap(), []);
    assert_eq!(running.ask("PUT", "/v1/lab", "", settings).await.0, 200, "nothing is lost by it");
}

#[tokio::test]
async fn a_lab_is_emptied_by_whoever_says_so() {
    let ways: [(&str, &str, &[u8]); 6] = [
        ("/v1/lab", "application/toml", b"empty = true"),
        ("/v1/lab", "application/json", b"{\"empty\": true}"),
        ("/v1/lab?empty=true", "", b""),
        ("/v1/lab?empty=true", "application/json", b""),
        ("/v1/lab?empty=true", "application/json", b"{}"),
        ("/v1/lab?empty=true", "", b"# nothing\n[switch]\nneighbors = 4000\n"),
    ];
    for (path, kind, body) in ways {
        let running = with_lab().await;
        let dry = format!("{path}{}dry_run=true", if path.contains('?') { '&' } else { '?' });
        assert_eq!(running.ask("PUT", &dry, kind, body).await.0, 200);
        assert_eq!(running.client.bridges().await.unwrap().len(), 2, "a dry run changes nothing");
        assert_eq!(running.ask("PUT", path, kind, body).await, (200, String::new()), "{body:?}");
        assert_eq!(running.client.bridges().await.unwrap(), []);
        let added = running.client.add_bridge("br0", &bridge("10.0.0.1/8")).await.unwrap();
        assert_eq!(added.changes.len(), 1, "what was empty on purpose may be filled again");
    }
}

#[tokio::test]
async fn an_empty_lab_can_be_written_and_applied_again() {
    let running = running();
    let spec = running.client.lab().await.unwrap();
    let text = spec.to_toml().unwrap();
    assert_eq!(text, "empty = true\n");
    for body in [LabBody::Toml(text.into()), LabBody::Json(spec)] {
        assert_eq!(
            running.client.apply(body, HowToApply::default()).await.unwrap().changes,
            [""; 0]
        );
    }
    running.client.add_bridge("br0", &bridge("10.0.0.1/8")).await.unwrap();
    running.client.delete_bridge("br0").await.unwrap();
    assert!(running.client.lab().await.unwrap().says_empty(), "the last part was taken by name");
}

#[tokio::test]
async fn a_lab_that_says_empty_and_is_not_is_refused() {
    let running = running();
    let (status, sentence) =
        running.ask("PUT", "/v1/lab", "", b"empty = true\n[bridge.br0]\n").await;
    let expected =
        "body:1:9: `empty` is true, and the lab is not empty; delete this key, or everything else";
    assert_eq!((status, sentence), (400, expected.into()));
}
