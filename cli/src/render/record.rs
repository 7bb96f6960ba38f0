//! A record for people.

use control::record::{RecordState, RecordStatus};
use labfile::printable;

/// How far a record is.
pub(crate) fn status(status: &RecordStatus) -> String {
    let file = status.file.as_ref().map(|file| printable::path(file)).unwrap_or_default();
    let RecordStatus { seconds, entries, bytes, max_size, .. } = status;
    let so_far = format!("{seconds:.1} s, {entries} entries, {bytes} bytes");
    let why = status.why.as_deref().unwrap_or_default();
    match status.state {
        RecordState::None => "nothing is being recorded, and nothing was".to_owned(),
        RecordState::Recording => {
            let time = status.max_time.map(|time| format!(" or {time} s")).unwrap_or_default();
            format!("recording to {file}: {so_far}; at most {max_size} bytes{time}")
        }
        RecordState::Finished => format!("{file} is finished: {why}; {so_far}"),
        RecordState::BrokenOff => format!("{file} breaks off: {why}; {so_far}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line() {
        assert!(status(&RecordStatus::default()).starts_with("nothing is being recorded"));
        let mut record = RecordStatus {
            state: RecordState::Recording,
            file: Some("/srv/a.record".into()),
            seconds: 2.04,
            entries: 7,
            bytes: 100,
            max_size: 1000,
            max_time: Some(1.5),
            why: None,
        };
        let so_far = "2.0 s, 7 entries, 100 bytes";
        assert_eq!(
            status(&record),
            format!("recording to /srv/a.record: {so_far}; at most 1000 bytes or 1.5 s")
        );
        (record.state, record.why) = (RecordState::BrokenOff, Some("the disk is full".into()));
        assert_eq!(
            status(&record),
            format!("/srv/a.record breaks off: the disk is full; {so_far}")
        );
    }
}
