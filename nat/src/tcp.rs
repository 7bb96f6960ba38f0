//! What a TCP connection is doing, as far as its flags tell someone in the middle (RFC 9293 section
//! 3.3.2, RFC 5382).
//!
//! # Theory of operation
//! Sequence numbers are not followed: a translator that misjudges a window breaks a connection that
//! both ends think well of, and one that judges none merely keeps a flow a little longer. So no
//! segment is refused here once a flow exists; flags decide only how long the flow may live.
//!
//! States are those `conntrack` prints. `SYN_SENT2` is a SYN from both sides (simultaneous open).
//! Each side's FIN is marked, so that a repeated FIN is not taken for the other side's. A RST leads
//! to `CLOSE` and does not end the flow (RFC 7857 section 2.2), and since anyone may forge one,
//! segments with ACK from both sides after it lead back. A SYN on a connection that is closed
//! (`TIME_WAIT`, `CLOSE`) is not its own: it begins another flow.

use packet::transport::TcpFlags;
use serde::{Deserialize, Serialize};

use crate::tuple::Direction;

/// Where a connection stands.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum State {
    SynSent,
    SynSent2,
    SynReceived,
    Established,
    FinWait,
    CloseWait,
    LastAck,
    TimeWait,
    Close,
}

impl State {
    /// As `conntrack -L` prints it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SynSent => "SYN_SENT",
            Self::SynSent2 => "SYN_SENT2",
            Self::SynReceived => "SYN_RECV",
            Self::Established => "ESTABLISHED",
            Self::FinWait => "FIN_WAIT",
            Self::CloseWait => "CLOSE_WAIT",
            Self::LastAck => "LAST_ACK",
            Self::TimeWait => "TIME_WAIT",
            Self::Close => "CLOSE",
        }
    }
}

/// What a segment does to its flow's time to live.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// Nothing: it proves no life of the connection.
    Keep,
    /// The state's lifetime begins anew.
    Refresh,
}

/// A connection's state with the marks that its next transitions depend on.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Tcp {
    state: State,
    /// FIN seen from original and reply side, ACK seen since the last RST from original and reply
    /// side.
    marks: u8,
}

const FINS: u8 = 0b0011;
const REVIVALS: u8 = 0b1100;

impl Tcp {
    /// The state that a connection's first segment seen here leads to. Without SYN it is picked up
    /// in midstream, as Linux does, unless it is a RST, a FIN or a SYN-ACK, which begin nothing.
    pub(crate) const fn begin(flags: TcpFlags) -> Option<Self> {
        const DECISIVE: u8 = TcpFlags::SYN | TcpFlags::ACK | TcpFlags::FIN | TcpFlags::RST;
        let state = match flags.0 & DECISIVE {
            TcpFlags::SYN => State::SynSent,
            TcpFlags::ACK => State::Established,
            _ => return None,
        };
        Some(Self { state, marks: 0 })
    }

    /// Whether a segment opens a connection.
    pub(crate) const fn opens(flags: TcpFlags) -> bool {
        matches!(Self::begin(flags), Some(Self { state: State::SynSent, .. }))
    }

    pub(crate) const fn state(self) -> State {
        self.state
    }

    /// Whether its handshake is not complete.
    pub(crate) const fn is_opening(self) -> bool {
        matches!(self.state, State::SynSent | State::SynSent2 | State::SynReceived)
    }

    /// Whether both sides have closed it, or one has reset it.
    pub(crate) const fn is_closed(self) -> bool {
        matches!(self.state, State::TimeWait | State::Close)
    }

    /// Follows one segment.
    pub(crate) fn step(&mut self, from: Direction, flags: TcpFlags) -> Effect {
        if flags.has(TcpFlags::RST) {
            return self.reset();
        }
        match (flags.has(TcpFlags::SYN), flags.has(TcpFlags::ACK)) {
            (true, false) => self.syn(from),
            (true, true) => self.syn_ack(from),
            (false, _) if flags.has(TcpFlags::FIN) => self.fin(from),
            (false, true) => self.ack(from),
            (false, false) => Effect::Keep,
        }
    }

    const fn enter(&mut self, state: State) -> Effect {
        self.state = state;
        Effect::Refresh
    }

    fn reset(&mut self) -> Effect {
        self.marks &= !REVIVALS;
        match self.state {
            // Repeated resets must not hold a dead flow.
            State::Close => Effect::Keep,
            _ => self.enter(State::Close),
        }
    }

    const fn syn(&mut self, from: Direction) -> Effect {
        match (self.state, from) {
            (State::SynSent, Direction::Original) | (State::SynSent2, _) => Effect::Refresh,
            (State::SynSent, Direction::Reply) => self.enter(State::SynSent2),
            _ => Effect::Keep,
        }
    }

    const fn syn_ack(&mut self, from: Direction) -> Effect {
        match (self.state, from) {
            (State::SynSent, Direction::Reply) | (State::SynSent2 | State::SynReceived, _) => {
                self.enter(State::SynReceived)
            }
            _ => Effect::Keep,
        }
    }

    const fn fin(&mut self, from: Direction) -> Effect {
        match self.state {
            State::SynSent | State::SynSent2 | State::Close => Effect::Keep,
            State::TimeWait => Effect::Refresh,
            State::SynReceived
            | State::Established
            | State::FinWait
            | State::CloseWait
            | State::LastAck => {
                self.marks |= mark(from);
                match (self.marks & FINS == FINS, self.state) {
                    (true, _) => self.enter(State::LastAck),
                    (false, State::CloseWait) => Effect::Refresh,
                    (false, _) => self.enter(State::FinWait),
                }
            }
        }
    }

    const fn ack(&mut self, from: Direction) -> Effect {
        match (self.state, from) {
            (State::SynSent | State::SynSent2, _) => Effect::Keep,
            (State::SynReceived, Direction::Original) => self.enter(State::Established),
            (State::FinWait, _) if self.marks & mark(from) == 0 => self.enter(State::CloseWait),
            (State::LastAck, _) => self.enter(State::TimeWait),
            (State::Close, _) => {
                self.marks |= mark(from) << 2;
                if self.marks & REVIVALS == REVIVALS && self.marks & FINS == 0 {
                    self.marks = 0;
                    return self.enter(State::Established);
                }
                Effect::Refresh
            }
            (
                State::SynReceived
                | State::Established
                | State::FinWait
                | State::CloseWait
                | State::TimeWait,
                _,
            ) => Effect::Refresh,
        }
    }
}

const fn mark(from: Direction) -> u8 {
    match from {
        Direction::Original => 0b01,
        Direction::Reply => 0b10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{Original, Reply};

    const SYN: u8 = TcpFlags::SYN;
    const ACK: u8 = TcpFlags::ACK;
    const FIN: u8 = TcpFlags::FIN;
    const RST: u8 = TcpFlags::RST;

    fn after(segments: &[(Direction, u8)]) -> Option<State> {
        let (first, rest) = segments.split_first()?;
        let mut tcp = Tcp::begin(TcpFlags(first.1))?;
        for (from, flags) in rest {
            tcp.step(*from, TcpFlags(*flags));
        }
        Some(tcp.state())
    }

    const OPEN: [(Direction, u8); 3] = [(Original, SYN), (Reply, SYN | ACK), (Original, ACK)];

    fn open_then(segments: &[(Direction, u8)]) -> Option<State> {
        after(&[&OPEN[..], segments].concat())
    }

    #[test]
    fn three_segments_establish() {
        assert_eq!(after(&OPEN[..1]), Some(State::SynSent));
        assert_eq!(after(&OPEN[..2]), Some(State::SynReceived));
        assert_eq!(after(&OPEN), Some(State::Established));
    }

    /// NT2.
    #[test]
    fn a_simultaneous_open_establishes() {
        let both = [
            (Original, SYN),
            (Reply, SYN),
            (Original, SYN | ACK),
            (Reply, SYN | ACK),
            (Original, ACK),
        ];
        assert_eq!(after(&both[..2]), Some(State::SynSent2));
        assert_eq!(after(&both), Some(State::Established));
    }

    #[test]
    fn either_side_may_close_first() {
        for (first, second) in [(Original, Reply), (Reply, Original)] {
            let close = [(first, FIN | ACK), (second, ACK), (second, FIN | ACK), (first, ACK)];
            assert_eq!(open_then(&close[..1]), Some(State::FinWait));
            assert_eq!(open_then(&close[..2]), Some(State::CloseWait));
            assert_eq!(open_then(&close[..3]), Some(State::LastAck));
            assert_eq!(open_then(&close), Some(State::TimeWait));
        }
    }

    #[test]
    fn a_repeated_fin_is_not_the_other_sides() {
        let again = [(Original, FIN | ACK), (Original, FIN | ACK)];
        assert_eq!(open_then(&again), Some(State::FinWait));
    }

    /// NT5.
    #[test]
    fn a_reset_closes_and_a_second_one_refreshes_nothing() {
        assert_eq!(open_then(&[(Reply, RST)]), Some(State::Close));
        let mut tcp = Tcp { state: State::Close, marks: 0 };
        assert_eq!(tcp.step(Original, TcpFlags(RST | ACK)), Effect::Keep);
    }

    #[test]
    fn a_connection_that_both_sides_continue_survives_a_forged_reset() {
        let one_side = [(Reply, RST), (Original, ACK), (Original, ACK)];
        assert_eq!(open_then(&one_side), Some(State::Close));
        let both = [(Reply, RST), (Original, ACK), (Reply, ACK)];
        assert_eq!(open_then(&both), Some(State::Established));
    }

    #[test]
    fn a_syn_does_not_revive_what_was_closed() {
        for state in [State::TimeWait, State::Close] {
            let mut tcp = Tcp { state, marks: FINS };
            assert_eq!(tcp.step(Original, TcpFlags(SYN)), Effect::Keep);
            assert_eq!(tcp.state(), state);
        }
    }

    /// What a segment does, as a table: by its flags and the state, where the connection stands
    /// then, with which marks, and whether its lifetime begins anew.
    fn expected(state: State, marks: u8, from: Direction, flags: u8) -> (State, u8, Effect) {
        use Effect::{Keep, Refresh};
        use State::{
            Close, CloseWait, Established, FinWait, LastAck, SynReceived, SynSent, SynSent2,
            TimeWait,
        };
        let side = if from == Original { 1 } else { 2 };
        let kept = (state, marks, Keep);
        let lives = (state, marks, Refresh);
        let to = |state| (state, marks, Refresh);
        if flags & RST != 0 {
            // A reset forgets who has gone on since the last one.
            let fins = marks & 0b11;
            return if state == Close { (Close, fins, Keep) } else { (Close, fins, Refresh) };
        }
        let fins = marks & 0b11 | side;
        match (flags & (SYN | ACK | FIN), state) {
            (SYN | 3, SynSent) if from == Reply => to(SynSent2),
            (SYN | 3, SynSent | SynSent2) => lives,
            (SYN | 3, _) => kept,
            (0x12 | 0x13, SynSent) if from == Reply => to(SynReceived),
            (0x12 | 0x13, SynSent2 | SynReceived) => to(SynReceived),
            (0x12 | 0x13, _) => kept,
            (FIN | 0x11, SynSent | SynSent2 | Close) => kept,
            (FIN | 0x11, TimeWait) => lives,
            (FIN | 0x11, _) if fins == 0b11 => (LastAck, marks | side, Refresh),
            (FIN | 0x11, CloseWait) => (CloseWait, marks | side, Refresh),
            (FIN | 0x11, _) => (FinWait, marks | side, Refresh),
            (ACK, SynSent | SynSent2) => kept,
            (ACK, SynReceived) if from == Original => to(Established),
            (ACK, FinWait) if marks & side == 0 => to(CloseWait),
            (ACK, LastAck) => to(TimeWait),
            (ACK, Close) => match (marks | side << 2, marks & 0b11) {
                (after, 0) if after & 0b1100 == 0b1100 => (Established, 0, Refresh),
                (after, _) => (Close, after, Refresh),
            },
            (ACK, _) => lives,
            _ => kept,
        }
    }

    const STATES: [State; 9] = [
        State::SynSent,
        State::SynSent2,
        State::SynReceived,
        State::Established,
        State::FinWait,
        State::CloseWait,
        State::LastAck,
        State::TimeWait,
        State::Close,
    ];

    /// NT2 to NT5: every state with all marks, from either side, under all combinations of flags.
    #[test]
    fn every_segment_does_what_the_table_says() {
        for (state, marks, from) in STATES.iter().flat_map(|state| {
            (0..16).flat_map(move |marks| [(*state, marks, Original), (*state, marks, Reply)])
        }) {
            for flags in 0..=u8::MAX {
                let mut tcp = Tcp { state, marks };
                let effect = tcp.step(from, TcpFlags(flags));
                let became = (tcp.state, tcp.marks, effect);
                let table = expected(state, marks, from, flags);
                assert_eq!(became, table, "{state:?} {marks:04b} {from:?} {flags:#04x}");
            }
        }
    }

    #[test]
    fn what_a_flow_shows_of_its_connection_is_its_state() {
        for (number, state) in STATES.into_iter().enumerate() {
            let tcp = Tcp { state, marks: 0b0101 };
            assert_eq!(tcp.state(), state);
            let name = ["SYN_SENT", "SYN_SENT2", "SYN_RECV", "ESTABLISHED", "FIN_WAIT"];
            let closing = ["CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE"];
            assert_eq!(state.name(), [&name[..], &closing].concat()[number]);
            assert_eq!(tcp.is_opening(), number < 3);
            assert_eq!(tcp.is_closed(), number > 6);
        }
    }

    /// Both sides have to go on behind the last reset.
    #[test]
    fn acks_of_two_resets_do_not_add_up() {
        let split = [(Reply, RST), (Original, ACK), (Original, RST), (Reply, ACK)];
        assert_eq!(open_then(&split), Some(State::Close));
    }

    #[test]
    fn only_syn_or_plain_ack_begins() {
        for flags in 0..=u8::MAX {
            let decisive = flags & (SYN | ACK | FIN | RST);
            let begins = Tcp::begin(TcpFlags(flags)).is_some();
            assert_eq!(begins, decisive == SYN || decisive == ACK, "{flags:#x}");
        }
    }
}
