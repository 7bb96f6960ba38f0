//! Cutting an IPv4 packet into fragments, and putting fragments together (RFC 791, RFC 815).
