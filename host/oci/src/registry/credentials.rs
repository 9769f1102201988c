//! Who asks a registry, and what of TLS is trusted.

use std::fmt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::OciError;

/// How a registry is reached.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Who asks; where it's none, docker's config may say so.
    pub credentials: Option<Credentials>,
    /// Certificates of authorities in PEM, which are trusted instead of the public ones.
    pub authorities: Option<Vec<u8>>,
    /// Without TLS: to this machine alone.
    pub plain_http: bool,
}

/// Who asks a registry.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// By name and password.
    Password {
        /// The name.
        username: String,
        /// The password, or an access token that stands for one.
        password: String,
    },
    /// By a token that a token service takes (docker's `identitytoken`).
    Identity(String),
}

// Secrets stay out of what is printed.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.who())
    }
}

impl Credentials {
    /// The header of HTTP's basic authentication; none for tokens.
    pub(super) fn basic(&self) -> Option<String> {
        match self {
            Self::Password { username, password } => {
                Some(format!("Basic {}", STANDARD.encode(format!("{username}:{password}"))))
            }
            Self::Identity(_) => None,
        }
    }

    pub(super) fn who(&self) -> String {
        match self {
            Self::Password { username, .. } => format!("{username:?}"),
            Self::Identity(_) => "the identity token of docker's config".to_owned(),
        }
    }
}

#[derive(Deserialize, Default)]
struct Config {
    #[serde(default)]
    auths: std::collections::BTreeMap<String, Entry>,
}

#[derive(Deserialize, Default)]
struct Entry {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default, rename = "identitytoken")]
    identity: String,
}

/// Who asks by docker's config: `$DOCKER_CONFIG/config.json`, or `~/.docker/config.json`. None where it says nothing of
/// this host.
pub(super) fn from_docker(host: &str) -> Result<Option<Credentials>, OciError> {
    let folder = match std::env::var_os("DOCKER_CONFIG") {
        Some(folder) => PathBuf::from(folder),
        None => match std::env::var_os("HOME") {
            Some(home) => PathBuf::from(home).join(".docker"),
            None => return Ok(None),
        },
    };
    let path = folder.join("config.json");
    let wrong = |why: String| OciError::Key(format!("{}: {why}", path.display()));
    match std::fs::read(&path) {
        Ok(bytes) => of_config(host, &bytes).map_err(wrong),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(wrong(format!("it can't be read: {error}"))),
    }
}

fn of_config(host: &str, config: &[u8]) -> Result<Option<Credentials>, String> {
    let config: Config =
        serde_json::from_slice(config).map_err(|error| format!("it isn't docker's config: {error}"))?;
    // Docker writes hosts bare, older versions as addresses.
    let is_host = |key: &str| {
        let bare = key.trim_start_matches("https://").trim_start_matches("http://");
        bare.split('/').next() == Some(host)
    };
    let Some(entry) = config.auths.iter().find(|(key, _)| is_host(key)).map(|(_, entry)| entry) else {
        return Ok(None);
    };
    if !entry.identity.is_empty() {
        return Ok(Some(Credentials::Identity(entry.identity.clone())));
    }
    if !entry.username.is_empty() {
        let (username, password) = (entry.username.clone(), entry.password.clone());
        return Ok(Some(Credentials::Password { username, password }));
    }
    if entry.auth.is_empty() {
        // A credential helper has it.
        return Ok(None);
    }
    let both = STANDARD.decode(&entry.auth).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match both.as_deref().and_then(|both| both.split_once(':')) {
        // Docker pads with zero bytes.
        Some((username, password)) => Ok(Some(Credentials::Password {
            username: username.to_owned(),
            password: password.trim_end_matches('\0').to_owned(),
        })),
        None => Err(format!("auths[{host:?}].auth isn't name:password in base64")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_config_says_who_asks() {
        let auth = STANDARD.encode("ana:p:w");
        let config = format!(
            r#"{{"auths": {{"r.example": {{"auth": "{auth}"}}, "https://old.example/v1/": {{"username": "b", "password": "c"}},
                "token.example": {{"auth": "{auth}", "identitytoken": "t"}}, "helped.example": {{}}, "bad.example": {{"auth": "!"}}}},
                "credsStore": "pass"}}"#
        );
        let read = |host: &str| of_config(host, config.as_bytes());
        let password = |username: &str, password: &str| {
            Some(Credentials::Password { username: username.to_owned(), password: password.to_owned() })
        };
        assert_eq!(read("r.example").unwrap(), password("ana", "p:w"));
        assert_eq!(read("old.example").unwrap(), password("b", "c"));
        assert_eq!(read("token.example").unwrap(), Some(Credentials::Identity("t".to_owned())));
        assert_eq!(read("helped.example").unwrap(), None);
        assert_eq!(read("other.example").unwrap(), None);
        assert!(read("bad.example").unwrap_err().contains("bad.example"));
        assert!(of_config("r.example", b"{").is_err());
        assert!(!format!("{:?}", password("ana", "secret")).contains("secret"));
    }
}
