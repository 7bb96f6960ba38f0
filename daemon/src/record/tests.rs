//! Records made here: of a switch that lives through the usual story.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use control::record::{RecordSpec, RecordState};
use lab::wire::{Packet, arp_reply, arp_request, frame};
use labfile::ids::Ids;
use labfile::plan::Plan;
use labfile::{Lab, LabSpec};
use offline::record::{Head, Names};
use offline::replay::{
    Account, Moment, Part, RecordOptions, ReplayError, Summary, is_record, run_record,
};
use packet::{Frame, Instant, Mac};
use switch::{Event, Outbox, Switch};
use tempfile::TempDir;

use super::{RecordError, Recorder};

/// The records begin here: 2026-01-01.
const EPOCH: u64 = 1_767_225_600;

/// A frame and its time in microseconds after [`EPOCH`].
type Timed = (u64, Vec<u8>);

/// The far end of a port of the usual lab.
fn mac_of(lab: &Lab, name: &str) -> Mac {
    lab.ports[name].mac
}

/// The router on an interface of the usual lab.
fn router_mac(lab: &Lab, name: &str) -> Mac {
    let mut interfaces = lab.interfaces().into_iter();
    interfaces.find(|interface| interface.name.to_string() == name).unwrap().mac
}

/// What red sends: a question for its gateway, a ping to blue, and the beginning of a connection to
/// the outside.
fn red_frames(lab: &Lab) -> Vec<Timed> {
    let (red, router) = (mac_of(lab, "red"), router_mac(lab, "br0"));
    let syn = Packet::tcp("192.168.0.2:40000", "198.51.100.7:80", 0x02, &[]);
    let ack = Packet::tcp("192.168.0.2:40000", "198.51.100.7:80", 0x10, &[]);
    let ping = Packet::ping("192.168.0.2", "192.168.0.3", 7, 1);
    vec![
        (0, frame(Mac::BROADCAST, red).arp(&arp_request(red, "192.168.0.2", "192.168.0.1"))),
        (100, frame(mac_of(lab, "blue"), red).ip(&ping)),
        (200, frame(router, red).ip(&syn)),
        (5_000, frame(router, red).ip(&ack)),
    ]
}

/// What the outside sends: its MAC address, the answer, and a connection that nobody wants.
fn wan_frames(lab: &Lab) -> Vec<Timed> {
    let (wan, router) = (mac_of(lab, "wan"), router_mac(lab, "wan"));
    let accepted = Packet::tcp("198.51.100.7:80", "203.0.113.1:40000", 0x12, &[]);
    let unwanted = Packet::tcp("198.51.100.7:80", "203.0.113.1:9", 0x02, &[]);
    let reply = arp_reply(wan, "203.0.113.254", router, "203.0.113.1");
    vec![
        (1_000, frame(router, wan).arp(&reply)),
        (2_000, frame(router, wan).ip(&accepted)),
        (6_000, frame(router, wan).ip(&unwanted)),
    ]
}

/// A directory of records.
struct Room(TempDir);

impl Room {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

/// The switch of the usual lab, in steps; a recorder stands at its doors.
struct Live {
    switch: Switch,
    ids: Ids,
    spec: LabSpec,
    lab: Lab,
    out: Outbox,
    recorder: Recorder,
}

impl Live {
    fn new() -> Self {
        let (spec, lab) = labfile::parse_spec(labfile::demo().as_bytes(), "lab.toml").unwrap();
        let mut ids = Ids::default();
        let empty = Lab::default();
        let changes = Plan::between(&empty, &lab).changes(&empty, &lab, &mut ids);
        let recorder = Recorder::default();
        let mut live =
            Self { switch: Switch::new(9), ids, spec, lab, out: Outbox::new(8), recorder };
        for change in changes {
            live.switch.apply(at(0), change, &mut live.out).unwrap();
        }
        for port in ["red", "blue", "wan"] {
            live.step(0, Event::PortUp(live.ids.known_port(port).unwrap()));
        }
        live
    }

    fn step(&mut self, micros: u64, event: Event) {
        self.recorder.events(at(micros), std::slice::from_ref(&event), &self.switch);
        self.switch.step(at(micros), event, &mut self.out);
        self.out.drain(|_, _| {});
    }

    fn frames(&mut self, port: &str, frames: &[Timed]) {
        let port = self.ids.known_port(port).unwrap();
        for (micros, bytes) in frames {
            self.step(*micros, Event::Frame { port, frame: Frame::copied_from(bytes) });
        }
    }

    fn start(&self, spec: &RecordSpec, micros: u64) -> Result<(), RecordError> {
        let prepared = self.recorder.prepare(spec)?;
        let head = Head {
            names: Names::of(&self.ids, &self.spec, &self.lab),
            start: at(micros),
            since_1970: EPOCH * 1_000_000_000,
            carried: Vec::new(),
        };
        self.recorder.begin(prepared, head, &self.switch).go().unwrap();
        Ok(())
    }

    fn stop(&self, micros: u64) {
        assert!(self.recorder.end(at(micros), "it was stopped", &self.switch));
        self.recorder.await_end();
        assert_eq!(self.recorder.status().state, RecordState::Finished);
    }
}

fn at(micros: u64) -> Instant {
    Instant::from_nanos(7_000_000_000 + micros * 1000)
}

fn to(file: PathBuf) -> RecordSpec {
    RecordSpec { file, ..RecordSpec::default() }
}

/// The story, of which the first half happens ahead of the record.
fn recorded(room: &Room) -> PathBuf {
    let mut live = Live::new();
    live.frames("red", &red_frames(&live.lab)[..3]);
    let file = room.path("a.record");
    live.start(&to(file.clone()), 500).unwrap();
    live.frames("wan", &wan_frames(&live.lab)[..2]);
    live.frames("red", &red_frames(&live.lab)[3..]);
    live.frames("wan", &wan_frames(&live.lab)[2..]);
    live.step(2_000_000, Event::Timeout);
    live.stop(2_000_001);
    file
}

fn replayed(file: &Path) -> Result<Summary, ReplayError> {
    let options = RecordOptions { file: file.to_owned(), ..RecordOptions::default() };
    run_record(&options, None).map(|(summary, _)| summary)
}

#[test]
fn a_record_begins_in_the_middle_and_ends_equal() {
    let room = Room::new();
    let file = recorded(&room);
    let mut accounts = Vec::new();
    let options = RecordOptions { file, ..RecordOptions::default() };
    let mut tell = |account: &Account| accounts.push(account.clone());
    let (summary, show) = run_record(&options, Some(&mut tell)).unwrap();
    assert_eq!(summary.record.unwrap().equal, Some(true));
    assert_eq!((summary.stats.totals["received"], summary.inputs[0].frames), (7, 4));
    assert_eq!(summary.start, EPOCH * 1_000_000_000);
    assert_eq!(summary.conntrack.len(), 1);
    // What waited when the record began leaves in it.
    let released = accounts.iter().flat_map(|account| &account.sent);
    assert_eq!(released.filter(|sent| sent.part == Part::Released).count(), 1);
    assert_eq!(show.ports.len(), 3);
}

#[test]
fn a_record_is_asked_as_of_a_moment() {
    let room = Room::new();
    let file = recorded(&room);
    let flows = |moment| {
        let until = Some(moment);
        let options = RecordOptions { file: file.clone(), until, ..RecordOptions::default() };
        run_record(&options, None).map(|(summary, _)| summary.conntrack[0].line.clone())
    };
    let after = |micros| Moment::After(Duration::from_micros(micros));
    assert!(flows(after(0)).unwrap().contains("SYN_SENT"));
    assert!(flows(after(1_500)).unwrap().contains("SYN_RECV"));
    assert!(flows(Moment::At(EPOCH * 1_000_000_000 + 1_500_000)).unwrap().contains("SYN_RECV"));
    assert!(flows(after(4_500)).unwrap().contains("ESTABLISHED"));
    let early = flows(Moment::At(1)).unwrap_err().to_string();
    assert_eq!(early, "that is before the record begins");
    let late = flows(after(3_000_000)).unwrap_err().to_string();
    assert!(late.starts_with("that is after the record ends, 1.999501 seconds"), "{late}");
}

#[test]
fn a_record_that_breaks_off_anywhere_is_replayed_up_to_there_or_told() {
    let room = Room::new();
    let whole = fs::read(recorded(&room)).unwrap();
    let (mut told, mut short) = (0, 0);
    // The entries are the last chunk; every length is tried around what begins and ends one.
    let lens = (0..whole.len()).filter(|len| len % 7 == 0 || *len < 40 || whole.len() - len < 400);
    for len in lens {
        let file = room.write("cut.record", &whole[..len]);
        match replayed(&file) {
            Ok(summary) => {
                let warning = summary.warnings.concat();
                assert!(warning.contains("cut.record breaks off behind"), "{len}: {warning}");
                assert!(summary.is_cut_off && summary.record.unwrap().equal.is_none());
                short += 1;
            }
            Err(error) => {
                assert!(error.to_string().contains("cut.record"), "{len}: {error}");
                assert!(error.is_wrong_input());
                told += 1;
            }
        }
    }
    assert!(told > 100 && short > 100, "{told} {short}");
}

#[test]
fn no_flipped_bit_goes_unnoticed() {
    let room = Room::new();
    let whole = fs::read(recorded(&room)).unwrap();
    for at in (0..whole.len()).filter(|at| at % 5 == 0 || *at < 40) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        let outcome = replayed(&room.write("flipped.record", &bytes));
        let is_noticed = outcome.as_ref().is_ok_and(|summary| summary.is_cut_off);
        assert!(outcome.is_err() || is_noticed, "byte {at}");
    }
}

#[test]
fn records_of_others_are_a_sentence_each() {
    let room = Room::new();
    let whole = fs::read(recorded(&room)).unwrap();
    let said = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        replayed(&room.write("a.record", &bytes)).unwrap_err().to_string()
    };
    let other = u16::from_le_bytes([whole[8] ^ 1, whole[9]]);
    let format = format!("is a record of format {other}, and this is tapswitch");
    assert!(said(8, whole[8] ^ 1).contains(&format));
    assert!(said(11, b'9').contains("was recorded by tapswitch 9"));
    assert!(said(1, b'x').contains("it does not begin as records do"));
    assert!(!is_record(&room.write("b", b"\x89taps")));
    assert!(!is_record(&room.path("none")));
}

#[test]
fn a_record_stays_within_its_limits() {
    let room = Room::new();
    let live = |limits: RecordSpec| {
        let mut live = Live::new();
        live.start(&limits, 0).unwrap();
        for number in 0..3000 {
            live.frames("red", &[(number * 1000, vec![2; 1000])]);
        }
        live.recorder.await_end();
        (live.recorder.status(), replayed(&limits.file).unwrap())
    };
    let small = RecordSpec { max_size: Some(1 << 20), ..to(room.path("small")) };
    let (status, summary) = live(small);
    assert!(status.bytes <= 1 << 20 && status.bytes > 800 << 10, "{status:?}");
    assert_eq!(status.state, RecordState::Finished);
    assert_eq!(summary.record.unwrap().equal, Some(true));
    let brief = RecordSpec { max_time: Some(1.5), ..to(room.path("brief")) };
    let (status, summary) = live(brief);
    assert_eq!(status.why.as_deref(), Some("1.5 s have passed"));
    assert_eq!((summary.inputs[0].frames, summary.record.unwrap().equal), (1501, Some(true)));
}

#[test]
fn a_record_that_cannot_begin_is_a_sentence_and_leaves_nothing() {
    let room = Room::new();
    let live = Live::new();
    let refused = |spec: &RecordSpec| live.start(spec, 0).unwrap_err().to_string();
    assert!(refused(&to("a.record".into())).contains("is no absolute path"));
    assert!(refused(&to(room.path("no/a.record"))).contains("cannot be written: No such file"));
    let none = RecordSpec { max_time: Some(0.0), ..to(room.path("a")) };
    assert_eq!(refused(&none), "a record lasts longer than 0 seconds");
    let small = RecordSpec { max_size: Some(5), ..to(room.path("a")) };
    assert!(refused(&small).contains("at least 1048576 bytes, and 5 are allowed"));
    assert!(!room.path("a").exists());
    let file = room.write("a.record", b"mine");
    assert!(refused(&to(file.clone())).contains("is there already: --force replaces it"));
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    live.start(&RecordSpec { force: true, ..to(file) }, 0).unwrap();
    assert!(refused(&to(room.path("b"))).contains("a.record is being recorded already"));
    live.stop(1);
}
