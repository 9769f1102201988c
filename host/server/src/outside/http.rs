//! One request to somebody outside, who may be slow, wrong or gone.

use std::time::Duration;

use ureq::http::Request;

/// Whoever takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);
/// No answer that we ask for is longer.
const LONGEST: u64 = 1 << 20;

/// Posts a body; gives status and body of the answer, whatever they are.
pub(super) async fn post(url: &str, media_type: &'static str, body: Vec<u8>) -> Result<(u16, Vec<u8>), String> {
    let address = url.to_owned();
    let send = move || {
        let request = Request::builder().method("POST").uri(&address).header("content-type", media_type);
        let request = request.body(body).map_err(|error| error.to_string())?;
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(PATIENCE))
            .user_agent(concat!("assize/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let mut answer = agent.run(request).map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(LONGEST).read_to_vec().map_err(|error| error.to_string())?;
        Ok((status, body))
    };
    let answered: Result<_, String> = tokio::task::spawn_blocking(send).await.map_err(|error| error.to_string())?;
    answered.map_err(|error| format!("{url}: {error}"))
}
