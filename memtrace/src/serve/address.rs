//! `--listen`: which address is meant.
//!
//! In: what the user typed. Out: a socket address. A port alone means loopback: what processes allocate is not
//! everybody's business. It refuses host names, because an address that changes with DNS is not a decision.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// An address to listen on, from `ADDR:PORT`, `:PORT` or `PORT`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListenAddress(pub SocketAddr);

/// The address cannot be understood.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{text}` is not an address to listen on: write 127.0.0.1:9100, [::1]:9100, or :9100 for loopback")]
pub struct AddressError {
    text: String,
}

impl ListenAddress {
    /// False when other machines may reach it, which deserves a word in the log.
    #[must_use]
    pub fn is_loopback(self) -> bool {
        self.0.ip().is_loopback()
    }
}

impl FromStr for ListenAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let loopback = |port: &str| {
            let digits_only = port.chars().all(|character| character.is_ascii_digit());
            let port = digits_only.then(|| port.parse::<u16>().ok())??;
            Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
        };
        let port_only = text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')).unwrap_or(text);
        loopback(port_only)
            .or_else(|| text.parse().ok())
            .map(Self)
            .ok_or_else(|| AddressError { text: text.escape_debug().to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<String> {
        text.parse::<ListenAddress>().ok().map(|address| address.0.to_string())
    }

    #[test]
    fn a_port_alone_means_loopback() {
        for text in ["9100", ":9100", "localhost:9100"] {
            assert_eq!(parsed(text).as_deref(), Some("127.0.0.1:9100"), "{text}");
        }
    }

    #[test]
    fn other_addresses_must_be_written_out() {
        assert_eq!(parsed("0.0.0.0:9100").as_deref(), Some("0.0.0.0:9100"));
        assert_eq!(parsed("[::]:9100").as_deref(), Some("[::]:9100"));
        assert!(!"0.0.0.0:9100".parse::<ListenAddress>().unwrap().is_loopback());
        assert!("[::1]:1".parse::<ListenAddress>().unwrap().is_loopback());
    }

    #[test]
    fn what_is_not_an_address_is_refused_with_examples() {
        for text in ["", ":", "65536", "+80", "example.org:80", "127.0.0.1", "::1:9100:x", "9100\n"] {
            let error = text.parse::<ListenAddress>().unwrap_err();
            assert!(error.to_string().contains("127.0.0.1:9100"), "{text}");
        }
    }
}
