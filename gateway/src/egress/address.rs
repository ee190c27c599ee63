//! Addresses that functions may not reach unless the operator opened the host: everything that is
//! not a place on the public internet. Pure.
//!
//! IPv6 has room for IPv4 inside (mapped, compatible, NAT64, 6to4, Teredo): such an address is as
//! good as the one inside it, and refused too, even where the outer form is not, because who routes
//! it is not known here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 ranges from the IANA special-purpose registry, with their names for messages and metrics.
const V4: &[([u8; 4], u8, &str)] = &[
    ([0, 0, 0, 0], 8, "unspecified"),
    ([10, 0, 0, 0], 8, "private"),
    ([100, 64, 0, 0], 10, "carrier_nat"),
    ([127, 0, 0, 0], 8, "loopback"),
    // Cloud metadata services are at 169.254.169.254.
    ([169, 254, 0, 0], 16, "link_local"),
    ([172, 16, 0, 0], 12, "private"),
    ([192, 0, 0, 0], 24, "reserved"),
    ([192, 0, 2, 0], 24, "documentation"),
    ([192, 88, 99, 0], 24, "reserved"),
    ([192, 168, 0, 0], 16, "private"),
    ([198, 18, 0, 0], 15, "benchmarking"),
    ([198, 51, 100, 0], 24, "documentation"),
    ([203, 0, 113, 0], 24, "documentation"),
    ([224, 0, 0, 0], 4, "multicast"),
    ([255, 255, 255, 255], 32, "broadcast"),
    ([240, 0, 0, 0], 4, "reserved"),
];

/// IPv6 ranges. What is outside 2000::/3 is no global unicast and refused below.
const V6: &[([u16; 8], u8, &str)] = &[
    ([0, 0, 0, 0, 0, 0, 0, 0], 128, "unspecified"),
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, "loopback"),
    ([0, 0, 0, 0, 0, 0, 0, 0], 96, "embedded_ipv4"),
    ([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, "embedded_ipv4"),
    // SIIT's translated addresses.
    ([0, 0, 0, 0, 0xffff, 0, 0, 0], 96, "embedded_ipv4"),
    ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, "embedded_ipv4"),
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, "embedded_ipv4"),
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 64, "reserved"),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, "embedded_ipv4"),
    ([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, "benchmarking"),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "documentation"),
    // ORCHID, protocol assignments: none is a host on the internet.
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, "reserved"),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, "embedded_ipv4"),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "documentation"),
    ([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, "reserved"),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "private"),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "link_local"),
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, "site_local"),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "multicast"),
];

/// Why nobody may go there; `None` for an address on the public internet.
pub fn refusal(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => of_v4(address),
        IpAddr::V6(address) => of_v6(address),
    }
}

fn of_v4(address: Ipv4Addr) -> Option<&'static str> {
    let given = u32::from(address);
    let inside = |range: &[u8; 4], bits: u8| (given ^ u32::from_be_bytes(*range)) >> (32 - u32::from(bits)) == 0;
    V4.iter().find(|(range, bits, _)| inside(range, *bits)).map(|(_, _, name)| *name)
}

fn of_v6(address: Ipv6Addr) -> Option<&'static str> {
    let given = u128::from(address);
    let inside = |range: &[u16; 8], bits: u8| {
        let range = u128::from(Ipv6Addr::from(*range));
        (given ^ range) >> (128 - u32::from(bits)) == 0
    };
    let named = V6.iter().find(|(range, bits, _)| inside(range, *bits)).map(|(_, _, name)| *name);
    // Only 2000::/3 is handed out to hosts.
    named.or_else(|| (given >> 125 != 1).then_some("reserved"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<&'static str> {
        refusal(text.parse().unwrap_or_else(|_| panic!("{text}")))
    }

    #[test]
    fn every_ipv4_range_from_its_first_address_to_its_last() {
        let ranges = [
            ("0.0.0.0", "0.255.255.255", "unspecified"),
            ("10.0.0.0", "10.255.255.255", "private"),
            ("100.64.0.0", "100.127.255.255", "carrier_nat"),
            ("127.0.0.0", "127.255.255.255", "loopback"),
            ("169.254.0.0", "169.254.255.255", "link_local"),
            ("172.16.0.0", "172.31.255.255", "private"),
            ("192.0.0.0", "192.0.0.255", "reserved"),
            ("192.0.2.0", "192.0.2.255", "documentation"),
            ("192.88.99.0", "192.88.99.255", "reserved"),
            ("192.168.0.0", "192.168.255.255", "private"),
            ("198.18.0.0", "198.19.255.255", "benchmarking"),
            ("198.51.100.0", "198.51.100.255", "documentation"),
            ("203.0.113.0", "203.0.113.255", "documentation"),
            ("224.0.0.0", "239.255.255.255", "multicast"),
            ("240.0.0.0", "255.255.255.254", "reserved"),
            ("255.255.255.255", "255.255.255.255", "broadcast"),
        ];
        for (first, last, name) in ranges {
            assert_eq!((of(first), of(last)), (Some(name), Some(name)), "{first} to {last}");
        }
        assert_eq!(of("169.254.169.254"), Some("link_local"));
    }

    #[test]
    fn the_neighbours_of_ipv4_ranges_are_public() {
        for public in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.88.100.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "8.8.8.8",
        ] {
            assert_eq!(of(public), None, "{public}");
        }
    }

    #[test]
    fn every_ipv6_range_from_its_first_address_to_its_last() {
        let ranges = [
            ("::", "::", "unspecified"),
            ("::1", "::1", "loopback"),
            ("::2", "::ffff:ffff", "embedded_ipv4"),
            ("::ffff:0:0", "::ffff:255.255.255.255", "embedded_ipv4"),
            ("::ffff:0:0:0", "::ffff:0:ffff:ffff", "embedded_ipv4"),
            ("64:ff9b::", "64:ff9b::ffff:ffff", "embedded_ipv4"),
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "embedded_ipv4"),
            ("100::", "100::ffff:ffff:ffff:ffff", "reserved"),
            ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "embedded_ipv4"),
            ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", "benchmarking"),
            ("2001:10::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "embedded_ipv4"),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"),
            ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"),
            ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "private"),
            ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link_local"),
            ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site_local"),
            ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"),
            ("4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"),
            ("1::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"),
        ];
        for (first, last, name) in ranges {
            assert_eq!((of(first), of(last)), (Some(name), Some(name)), "{first} to {last}");
        }
    }

    #[test]
    fn ipv4_inside_ipv6_is_refused_in_every_form() {
        for form in [
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:8.8.8.8",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        ] {
            assert_eq!(of(form), Some("embedded_ipv4"), "{form}");
        }
    }

    #[test]
    fn global_ipv6_is_public() {
        for public in [
            "2000::",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2a00::1",
            "2003::1",
            "3ffe::1",
            "2001:db7::1",
            "2001:db9::1",
            "2600::",
        ] {
            assert_eq!(of(public), None, "{public}");
        }
    }
}
