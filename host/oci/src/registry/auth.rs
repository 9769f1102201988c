//! What a registry asks for who doesn't say who they are (`WWW-Authenticate`), and the token that answers it.

use serde::Deserialize;
use ureq::http::{HeaderMap, Request, Response};

use super::credentials::Credentials;
use crate::OciError;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// Name and password, to the registry itself.
    Basic,
    /// A token of a token service.
    Bearer(Bearer),
}

/// Where a token is had, and for what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bearer {
    realm: String,
    service: Option<String>,
    scope: Option<String>,
}

/// What a token service answered.
pub(super) enum Token {
    /// A token.
    Given(String),
    /// A status, and what it said.
    Refused(u16, String),
}

/// No token is longer.
const LONGEST_TOKEN: u64 = 256 << 10;

impl Challenge {
    /// The first that can be answered.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all("www-authenticate").iter().filter_map(|value| value.to_str().ok());
        values.find_map(Self::parse)
    }

    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut bearer = Bearer::default();
        for (name, value) in parameters(rest) {
            match name.to_ascii_lowercase().as_str() {
                "realm" => bearer.realm = value,
                "service" => bearer.service = Some(value),
                "scope" => bearer.scope = Some(value),
                _ => {}
            }
        }
        (!bearer.realm.is_empty()).then_some(Self::Bearer(bearer))
    }
}

/// `name="value"` and `name=value`, between commas.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut rest = text.trim();
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_owned();
        let value;
        if let Some(quoted) = after.strip_prefix('"') {
            let mut read = String::new();
            let mut chars = quoted.char_indices();
            let mut end = quoted.len();
            while let Some((at, c)) = chars.next() {
                match c {
                    '\\' => read.extend(chars.next().map(|(_, c)| c)),
                    '"' => {
                        end = at + 1;
                        break;
                    }
                    other => read.push(other),
                }
            }
            value = read;
            rest = quoted.get(end..).unwrap_or_default();
        } else {
            let (bare, after) = after.split_once(',').unwrap_or((after, ""));
            value = bare.trim().to_owned();
            rest = after;
        }
        all.push((name, value));
    }
    all
}

impl Bearer {
    /// Where the token is asked for.
    pub(super) fn url(&self) -> String {
        self.realm.clone()
    }

    /// The parameters of the question.
    fn query(&self) -> String {
        let mut query = String::new();
        for (name, value) in [("service", &self.service), ("scope", &self.scope)] {
            if let Some(value) = value {
                query.push(if query.is_empty() { '?' } else { '&' });
                query.push_str(name);
                query.push('=');
                query.push_str(&encoded(value));
            }
        }
        if self.realm.contains('?') { query.replacen('?', "&", 1) } else { query }
    }
}

/// A value of a query (RFC 3986: unreserved characters stay).
fn encoded(text: &str) -> String {
    let mut all = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            all.push(char::from(byte));
        } else {
            let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default().to_ascii_uppercase();
            all.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    all
}

#[derive(Deserialize)]
struct Granted {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
}

/// Asks a token service.
pub(super) fn token(
    agent: &ureq::Agent,
    bearer: &Bearer,
    credentials: Option<&Credentials>,
    unreachable: impl Fn(ureq::Error) -> OciError,
) -> Result<Token, OciError> {
    let malformed = |error: ureq::http::Error| OciError::Answer { host: bearer.realm.clone(), what: error.to_string() };
    let sent = match credentials {
        Some(Credentials::Identity(identity)) => {
            let mut form = format!("grant_type=refresh_token&client_id=assize&refresh_token={}", encoded(identity));
            for (name, value) in [("service", &bearer.service), ("scope", &bearer.scope)] {
                if let Some(value) = value {
                    form.extend(["&", name, "=", &encoded(value)]);
                }
            }
            let request = Request::post(&bearer.realm).header("content-type", "application/x-www-form-urlencoded");
            agent.run(request.body(form).map_err(malformed)?)
        }
        other => {
            let mut request = Request::get(format!("{}{}", bearer.realm, bearer.query()));
            if let Some(basic) = other.and_then(Credentials::basic) {
                request = request.header("authorization", basic);
            }
            agent.run(request.body(()).map_err(malformed)?)
        }
    };
    let mut answer: Response<ureq::Body> = sent.map_err(unreachable)?;
    let status = answer.status();
    if !status.is_success() {
        return Ok(Token::Refused(status.as_u16(), ": its token service refused".to_owned()));
    }
    let what = |what: &str| OciError::Answer { host: bearer.realm.clone(), what: what.to_owned() };
    let bytes = answer.body_mut().with_config().limit(LONGEST_TOKEN).read_to_vec();
    let bytes = bytes.map_err(|error| what(&format!("a token that can't be read: {error}")))?;
    let granted: Granted = serde_json::from_slice(&bytes).map_err(|_| what("something else than a token"))?;
    let token = if granted.token.is_empty() { granted.access_token } else { granted.token };
    if token.is_empty() || token.contains(|c: char| c.is_control()) {
        return Err(what("no token"));
    }
    Ok(Token::Given(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_says_where_a_token_is_had() {
        let text =
            r#"Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push""#;
        let Some(Challenge::Bearer(bearer)) = Challenge::parse(text) else { panic!("{text}") };
        assert_eq!(bearer.url(), "https://auth.example/token");
        assert_eq!(bearer.query(), "?service=registry.example&scope=repository%3Aa%2Fb%3Apull%2Cpush");
        let Some(Challenge::Bearer(bearer)) = Challenge::parse(r#"bearer realm="https://a.example/t?x=1", scope=y"#)
        else {
            panic!("lower case and bare values are read")
        };
        assert_eq!(bearer.query(), "&scope=y");
        assert_eq!(Challenge::parse(r#"Basic realm="x, y=z""#), Some(Challenge::Basic));
        for none in ["", "Digest realm=x", "Bearer", "Bearer service=x", r#"Bearer realm=""#, r#"Bearer realm="\"#] {
            assert_eq!(Challenge::parse(none), None, "{none}");
        }
        let quoted = parameters(r#"a="b\"c",d=e , f="g""#);
        let expected = [("a", "b\"c"), ("d", "e"), ("f", "g")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(quoted, expected);
    }

    proptest::proptest! {
        #[test]
        fn any_challenge_is_read_or_passed_over(text in "[Bb](asic|earer) [a-z=,\"\\\\ é]{0,60}") {
            let _ = Challenge::parse(&text);
        }
    }
}
