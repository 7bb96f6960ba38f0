//! Records over the API; the switch has no ports, and changes enter it all the same.

use super::*;
use control::record::{RecordSpec, RecordState};
use offline::replay::{RecordOptions, run_record};

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_begun_asked_after_and_ended() {
    let Running { client, _room: room, .. } = &running();
    assert_eq!(client.record_status().await.unwrap().state, RecordState::None);
    let refused = client.stop_record().await.unwrap_err().to_string();
    assert_eq!(refused, "nothing is being recorded");
    let file = room.path().join("a.record");
    let wanted = RecordSpec { file: file.clone(), ..RecordSpec::default() };
    let status = client.start_record(&wanted).await.unwrap();
    assert_eq!((status.state, status.max_size), (RecordState::Recording, 256 << 20));
    let refused = client.start_record(&wanted).await.unwrap_err().to_string();
    assert!(refused.contains("is being recorded already"), "{refused}");
    client.add_bridge("br0", &bridge("10.0.0.1/24")).await.unwrap();
    let status = client.stop_record().await.unwrap();
    assert_eq!(status.state, RecordState::Finished);
    assert!(status.entries >= 3, "{status:?}");
    let refused = client.start_record(&wanted).await.unwrap_err().to_string();
    assert!(refused.contains("is there already"), "{refused}");

    let options = RecordOptions { file, ..RecordOptions::default() };
    let (summary, show) = run_record(&options, None).unwrap();
    assert_eq!(summary.record.unwrap().equal, Some(true));
    assert_eq!(show.bridges, client.show().await.unwrap().bridges);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_record_is_a_status_and_a_sentence() {
    let running = running();
    for (body, status, sentence) in [
        ("{\"file\": \"a.record\"}", 400, "is no absolute path"),
        ("{\"file\": \"/a\", \"max_size\": 1}", 400, "at least 1048576 bytes"),
        ("{\"file\": \"/proc/nowhere\"}", 500, "cannot be written"),
        ("{\"file\": \"/dev/null\", \"force\": true}", 409, "/dev/null is a device"),
        ("{\"file\": \"/dev/full\", \"force\": true}", 409, "/dev/full is a device"),
        ("{\"file\": \"/\", \"force\": true}", 409, "/ is a directory"),
        ("{}", 400, "missing field `file`"),
    ] {
        let (got, said) =
            running.ask("POST", "/v1/record", "application/json", body.as_bytes()).await;
        assert_eq!(got, status, "{said}");
        assert!(said.contains(sentence), "{said}");
    }
    let (status, said) = running.ask("DELETE", "/v1/record", "", b"").await;
    assert_eq!((status, &*said), (409, "nothing is being recorded"));
}
