//! Questions over the API that cannot be answered; the root tests ask those that can.

use serde_json::json;

use super::{refusal, with_lab};
use control::explain::Question;

#[tokio::test]
async fn a_question_that_makes_no_sense_is_a_sentence() {
    let running = with_lab().await;
    let question = Question { input: "red".into(), frames: vec!["00".repeat(60)] };
    assert_eq!(
        refusal(running.client.explain(&question).await),
        (404, "the lab has no port `red` to take frames in: it has none".into())
    );
    for (body, sentence) in [
        (json!({"in": "red", "frames": []}), "there is no frame to explain"),
        (json!({"in": "vx0@far", "frames": ["00"]}), "names nothing that frames come in on"),
        (json!({"in": "red"}), "the body is not the JSON that belongs here"),
        (json!({"in": "red", "frames": ["00"], "now": 1}), "unknown field `now`"),
    ] {
        let (status, said) = running
            .ask("POST", "/v1/explain", "application/json", body.to_string().as_bytes())
            .await;
        assert_eq!(status, 400, "{said}");
        assert!(said.contains(sentence), "{said}");
    }
    let (status, said) = running.ask("GET", "/v1/explain", "", b"").await;
    assert_eq!((status, said.as_str()), (405, "/v1/explain does not understand GET"));
}
