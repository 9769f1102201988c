//! Which artifact in which registry: `host[:port]/repository[:tag][@sha256:…]`.

use std::fmt;
use std::str::FromStr;

use assize_registry::Manifest;

use crate::Sha256;

/// Names an artifact, or a place for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Host and port of the registry.
    pub host: String,
    /// The repository's path.
    pub repository: String,
    /// The tag; none where none was written.
    pub tag: Option<String>,
    /// The manifest's digest, where it's pinned.
    pub digest: Option<Sha256>,
}

/// The text names no artifact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} isn't an OCI reference: {why}; write HOST[:PORT]/REPOSITORY[:TAG][@sha256:DIGEST], e.g. registry.example/acme/refunds:1.0.0"
)]
pub struct ParseReferenceError {
    text: String,
    why: String,
}

/// Registries refuse longer paths.
const LONGEST_REPOSITORY: usize = 255;
/// Registries refuse longer tags.
const LONGEST_TAG: usize = 128;

impl FromStr for Reference {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: &str| ParseReferenceError { text: text.to_owned(), why: why.to_owned() };
        let (named, digest) = match text.split_once('@') {
            Some((named, digest)) => (named, Some(digest.parse().map_err(|why: String| wrong(&why))?)),
            None => (text, None),
        };
        let (host, path) = named.split_once('/').ok_or_else(|| wrong("it names no repository"))?;
        if !is_host(host) {
            return Err(wrong("it doesn't begin with a registry's host (with a dot or a port, or localhost)"));
        }
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        if repository.len() > LONGEST_REPOSITORY || !repository.split('/').all(is_component) {
            return Err(wrong("a repository is lower-case letters and digits, with . _ - and / between them"));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong("a tag is up to 128 letters, digits, _ . and -, and begins with neither . nor -"));
        }
        Ok(Self { host: host.to_owned(), repository: repository.to_owned(), tag: tag.map(str::to_owned), digest })
    }
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    let numbered = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let named = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.chars().all(plain),
    };
    numbered && named && (name == "localhost" || name.contains('.') || port.is_some() || address.is_some())
}

/// One part of a repository's path: letters and digits, with separators between them.
fn is_component(part: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    part.chars().all(inside) && edge(part.chars().next()) && edge(part.chars().next_back()) && !part.contains("..")
}

fn is_tag(tag: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=LONGEST_TAG).contains(&tag.len()) && tag.chars().all(inside) && !tag.starts_with(['.', '-'])
}

impl Reference {
    /// Where a package goes that is pushed to this repository: under the tag that was written, or else its version.
    #[must_use]
    pub fn for_package(&self, manifest: &Manifest) -> Self {
        let tag = self.tag.clone().unwrap_or_else(|| tag_of(&manifest.version.to_string()));
        Self { tag: Some(tag), digest: None, ..self.clone() }
    }

    /// Where a package goes that is pushed below this path, as `namespace/name:version`: what `wkg` looks for.
    #[must_use]
    pub fn below(&self, manifest: &Manifest) -> Self {
        let repository = format!("{}/{}", self.repository, manifest.name);
        Self { repository, ..self.for_package(manifest) }
    }

    /// Host and repository alone.
    pub fn name(&self) -> String {
        format!("{}/{}", self.host, self.repository)
    }

    /// The same, pinned.
    #[must_use]
    pub fn pinned(&self, digest: Sha256) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }

    /// Whether its host is this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

/// Whether `host`, with or without a port, is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A version as a tag: tags have no `+`.
pub fn tag_of(version: &str) -> String {
    version.replace('+', "_")
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_read_as_it_was_written() {
        let digest = "a".repeat(64);
        for text in [
            "registry.example/acme/refunds".to_owned(),
            "registry.example/acme/refunds:1.0.0".to_owned(),
            "localhost:5000/a:1.0.0-rc.1".to_owned(),
            "127.0.0.1:5000/a/b/c".to_owned(),
            "[::1]:5000/a".to_owned(),
            format!("registry.example/acme/refunds@sha256:{digest}"),
            format!("registry.example:443/acme/refunds:1.0.0@sha256:{digest}"),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
        let read: Reference = "localhost:5000/a/b:1".parse().unwrap();
        assert_eq!(
            (read.host.as_str(), read.repository.as_str(), read.tag.as_deref()),
            ("localhost:5000", "a/b", Some("1"))
        );
    }

    #[test]
    fn what_names_nothing_is_refused_with_the_form() {
        let upper = format!("r.example/a@sha256:{}", "A".repeat(64));
        for text in [
            "",
            "refunds",
            "acme/refunds:1.0.0",
            "r.example/",
            "r.example/a:",
            "r.example/a:-x",
            "r.example/A",
            "r.example//a",
            "r.example/a@sha256:12",
            "r.example/a@md5:aa",
            "r.example:0/a",
            "r.example:99999/a",
            "r.example/../a",
            "user@r.example/a",
            "https://r.example/a",
            "r.example/a b",
            "r.example/a?x",
            upper.as_str(),
        ] {
            let error = text.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains("HOST[:PORT]/REPOSITORY"), "{text}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_was_read_is_written_the_same(text in "[a-z0-9.:/@_\\[\\]-]{0,60}") {
            if let Ok(read) = text.parse::<Reference>() {
                proptest::prop_assert_eq!(read.to_string(), text);
            }
        }
    }

    #[test]
    fn loopback_is_this_machine() {
        for (host, expected) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.1.2.3", true),
            ("[::1]:5000", true),
            ("registry.example", false),
            ("10.0.0.1:5000", false),
            ("localhost.example:5000", false),
            ("127.0.0.1.example", false),
        ] {
            let reference: Reference = format!("{host}/a").parse().unwrap();
            assert_eq!(reference.is_loopback(), expected, "{host}");
        }
    }
}
