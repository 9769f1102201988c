//! Reads the host of a URL strictly: whatever two programs could read differently is refused.

/// The host of an `https` URL: a name, not an IP address.
///
/// # Errors
/// Says what is wrong with the URL.
pub(crate) fn host(url: &str) -> Result<&str, String> {
    let rest = url.strip_prefix("https://").ok_or_else(|| format!("`url` is `{url}`: only https:// is sent to"))?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("`url` holds a user name, which could pass for the host".to_owned());
    }
    if url.chars().any(|sign| sign.is_control() || sign.is_whitespace() || sign == '\\') {
        return Err("`url` holds white space, a control character or a backslash".to_owned());
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    if port.parse::<u16>().is_err() {
        return Err(format!("`url` names the port `{port}`"));
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    // The last label of a name isn't a number: `https://2130706433/` and `https://127.1/` are addresses.
    let is_name = host.contains('.')
        && host.split('.').all(is_label)
        && host.rsplit('.').next().is_some_and(|last| !last.starts_with(|sign: char| sign.is_ascii_digit()));
    if is_name { Ok(host) } else { Err(format!("`url` names the host `{host}`: a full name in lowercase is needed")) }
}

/// Whether `host` is `allowed`, or below it where that starts with a dot.
pub(crate) fn is_within(host: &str, allowed: &str) -> bool {
    if allowed.starts_with('.') { host.ends_with(allowed) && host.len() > allowed.len() } else { host == allowed }
}

#[cfg(test)]
mod tests {
    use super::{host, is_within};

    #[test]
    fn ordinary_addresses_are_read() {
        assert_eq!(host("https://hooks.example.org/a?b#c"), Ok("hooks.example.org"));
        assert_eq!(host("https://hooks.example.org:8443"), Ok("hooks.example.org"));
    }

    #[test]
    fn whatever_could_be_read_in_two_ways_is_refused() {
        for url in [
            "http://hooks.example.org/",
            "https://hooks.example.org@evil.example/",
            "https://evil.example\\.hooks.example.org/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://[::1]/",
            "https://localhost/",
            "https://HOOKS.example.org/",
            "https://hooks.example.org:99999/",
            "https://hooks..example.org/",
            "https://hooks.example.org/\nX: y",
            "https://",
        ] {
            assert!(host(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_dot_allows_what_is_below_and_nothing_beside() {
        assert!(is_within("a.example.org", ".example.org"));
        assert!(!is_within("example.org", ".example.org"));
        assert!(!is_within("evilexample.org", ".example.org"));
        assert!(!is_within("a.example.org", "example.org"));
    }
}
