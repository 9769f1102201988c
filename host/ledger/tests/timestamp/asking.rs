//! A real authority is asked, over HTTP.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use assize_ledger::timestamp::accept;

use super::*;
use crate::authority::{Authority, Mood};

const NONCE: u64 = 0xfedc_ba98_7654_3210;

/// The status and the body that it answers with.
fn post(authority: &Authority, query: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(authority.address())?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    let (media, length) = (Query::MEDIA_TYPE, query.len());
    write!(stream, "POST /tsr HTTP/1.1\r\nhost: tsa\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\r\n")?;
    stream.write_all(query)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    Ok((status, answer.split_off(end)))
}

#[test]
fn a_token_is_asked_for_taken_and_verified_here_and_by_openssl() {
    let authority = Authority::start();
    let trust = Trust::from_pem(&authority.roots_pem()).unwrap();
    let query = Query::new(imprint(), NONCE);
    let sent = query.to_der().unwrap();
    let (status, response) = post(&authority, &sent).unwrap();
    assert_eq!(status, 200);
    let accepted = accept(&response, &query, &trust).unwrap();
    assert_eq!(verify(&accepted.token, imprint(), &trust), Ok(accepted.stamp.clone()));
    assert_eq!(accepted.stamp.authority, "CN=Stamper,O=Assize tests");
    assert!(authority.openssl_verifies(&sent, &response));
    assert!(!authority.openssl_verifies(&Query::new(imprint(), 1).to_der().unwrap(), &response));

    let other = Query::new(imprint(), NONCE + 1);
    assert!(matches!(accept(&response, &other, &trust), Err(StampError::Nonce { .. })));
    let other = Query::new(Digest::ZERO, NONCE);
    assert!(matches!(accept(&response, &other, &trust), Err(StampError::Imprint { .. })));
    let longer = [response, vec![0]].concat();
    assert!(matches!(accept(&longer, &query, &trust), Err(StampError::Malformed { what: "response", .. })));
    let json = serde_json::to_value(&accepted.stamp).unwrap();
    assert_eq!(json["imprint"], format!("sha256:{}", imprint()));
    assert_eq!(json["chain"][0], hex::encode(&accepted.stamp.chain[0]));
}

#[test]
fn an_authority_that_fails_gives_no_stamp() {
    let authority = Authority::start();
    let trust = Trust::from_pem(&authority.roots_pem()).unwrap();
    let query = Query::new(imprint(), NONCE);
    let ask = |mood| {
        authority.behave(mood);
        let (status, response) = post(&authority, &query.to_der().unwrap()).unwrap();
        assert_eq!(status, 200);
        accept(&response, &query, &trust).unwrap_err()
    };
    assert!(matches!(ask(Mood::Babbles), StampError::Malformed { what: "response", .. }));
    assert_eq!(ask(Mood::Rejects), StampError::Refused { found: 2, text: String::new() });
    assert!(matches!(ask(Mood::StampsAnotherHash), StampError::Imprint { .. }));
    assert!(matches!(ask(Mood::StampsAnotherNonce), StampError::Nonce { found: Some(_), .. }));
    assert!(matches!(ask(Mood::Expired), StampError::Validity { .. }));
    assert!(matches!(ask(Mood::Foreign), StampError::Chain { .. }));

    authority.behave(Mood::Fails);
    assert_eq!(post(&authority, &query.to_der().unwrap()).unwrap().0, 500);
    authority.behave(Mood::Hangs);
    let error = post(&authority, &query.to_der().unwrap()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    authority.behave(Mood::Stamps);
    let (_, response) = post(&authority, &query.to_der().unwrap()).unwrap();
    assert!(accept(&response, &query, &trust).is_ok());
    assert_eq!(authority.queries(), 9);
    assert_eq!(post(&authority, &[]).unwrap().0, 200);
}

#[test]
fn a_grant_without_a_token_is_none() {
    let granted = [0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x00];
    let error = accept(&granted, &Query::new(imprint(), NONCE), &HOUSE.trust()).unwrap_err();
    assert_eq!(error, StampError::NoToken { status: 0 });
    // Granted with modifications, and the token of another query.
    let modified = [
        &[0x30, 0x82],
        &u16::try_from(HOUSE.token.len() + 5).unwrap().to_be_bytes()[..],
        &[0x30, 0x03, 0x02, 0x01, 0x01],
        &HOUSE.token,
    ]
    .concat();
    assert!(accept(&modified, &Query::new(imprint(), 1), &HOUSE.trust()).is_ok());
    assert!(accept(&modified, &Query::new(imprint(), 2), &HOUSE.trust()).is_err());
}

#[test]
fn a_refusal_says_why() {
    // PKIStatusInfo { rejection, { "out of", "paper" }, badAlg }.
    let text = [&[0x0c, 0x06], &b"out of"[..], &[0x0c, 0x05], b"paper"].concat();
    let status = [&[0x30, 22, 0x02, 0x01, 0x02, 0x30, 15], &text[..], &[0x03, 0x02, 0x07, 0x80]].concat();
    let mut response = vec![0x30, u8::try_from(status.len()).unwrap()];
    response.extend(status);
    response[3] = u8::try_from(response.len() - 4).unwrap();
    let error = accept(&response, &Query::new(imprint(), NONCE), &HOUSE.trust()).unwrap_err();
    assert_eq!(error, StampError::Refused { found: 2, text: "out of; paper; failInfo 80".to_owned() });
}
