//! Our router beside the kernel's: the same packets through both, and every packet that comes out
//! compared.
//!
//! Two worlds with equal addresses: in one the router is the daemon, in the other a namespace with
//! `ip_forward` and nftables. Scripts of raw packets go into both, and what leaves each, on every
//! wire, has to be the same, field by field; so have the translated flows in the end. What is meant
//! to differ is a catalogue, and each of its entries has to show itself where it says.
//!
//! In reading order: [`script`] and [`cases`] (what is played), [`wires`] (packets in, packets
//! out), [`side`] (the two routers), [`play`] with [`decode`] and [`flows`] (what differs),
//! [`verdict`], [`catalogue`] with [`recognise`] (what may), [`page`] (the same for people),
//! [`plant`] (that differences are found).
//!
//! Nothing here leaves the namespaces that it makes.

mod cases;
mod catalogue;
mod decode;
mod flows;
mod page;
mod plant;
mod play;
mod recognise;
mod script;
mod side;
mod verdict;
mod wires;

use verdict::compare;

/// RT2, RT3, RT4, RT5.
#[test]
fn packets_go_the_kernels_ways() {
    compare("ways");
}

/// RT8, NU13.
#[test]
fn packets_are_cut_as_by_the_kernel() {
    compare("sizes");
}

/// RT10.
#[test]
fn options_are_treated_as_by_the_kernel() {
    compare("options");
}

/// RT1, RT5, RT9.
#[test]
fn what_the_kernel_refuses_is_refused() {
    compare("broken and impossible");
}

/// RT2, RT11.
#[test]
fn the_router_itself_answers_as_the_kernel_does() {
    compare("to the router itself");
}

/// NU1.
#[test]
fn datagrams_are_masqueraded_as_by_the_kernel() {
    compare("masquerade");
}

/// NU1.
#[test]
fn flows_live_as_long_as_the_kernels() {
    compare("lifetimes");
}

/// NT1, NT2, NT5.
#[test]
fn connections_are_followed_as_by_the_kernel() {
    compare("connections");
}

/// NT3, NT7.
#[test]
fn segments_out_of_place_are_treated_as_by_the_kernel() {
    compare("segments out of place");
}

/// NT6.
#[test]
fn ports_are_published_as_by_the_kernel() {
    compare("published ports");
}

/// NU10, RT11.
#[test]
fn own_addresses_answer_as_the_kernels_while_others_are_translated() {
    compare("own addresses, while it translates");
}

/// NI3, NI4, NI6.
#[test]
fn errors_from_outside_are_translated_as_by_the_kernel() {
    compare("errors from outside");
}

/// NI5, NI10.
#[test]
fn errors_from_inside_are_translated_as_by_the_kernel() {
    compare("errors from inside and from the router");
}

/// NU14.
#[test]
fn fragments_are_translated_as_by_the_kernel() {
    compare("fragments");
}
