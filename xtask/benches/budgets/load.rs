//! The load generator: keep-alive connections on one thread, which send the same bytes again and again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::figures::{quantile, sorted};

/// What a load came to.
#[derive(Debug)]
pub(crate) struct Load {
    /// Answers a second.
    pub(crate) rate: f64,
    /// Milliseconds, sorted.
    latencies: Vec<f64>,
}

impl Load {
    /// Milliseconds within which `percent` of the answers came.
    pub(crate) fn latency(&self, percent: usize) -> f64 {
        quantile(&self.latencies, percent)
    }
}

/// Sends `request` over `clients` connections for as long as `lasts` and waits for each answer. Anything but 201 is an
/// error: refusals are fast, and would flatter the figures.
pub(crate) fn run(address: SocketAddr, request: &[u8], clients: usize, lasts: Duration) -> anyhow::Result<Load> {
    run_until(address, request, clients, Some(lasts), &Arc::new(AtomicBool::new(false)))
}

/// As [`run`], until `stop` is set.
pub(crate) fn run_until(
    address: SocketAddr,
    request: &[u8],
    clients: usize,
    lasts: Option<Duration>,
    stop: &Arc<AtomicBool>,
) -> anyhow::Result<Load> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let request: Arc<[u8]> = request.into();
        let started = Instant::now();
        let end = lasts.map(|lasts| started + lasts);
        let mut connections = JoinSet::new();
        for _ in 0..clients {
            let stream = TcpStream::connect(address).await.with_context(|| format!("{address} doesn't answer"))?;
            stream.set_nodelay(true)?;
            connections.spawn(client(stream, Arc::clone(&request), end, Arc::clone(stop)));
        }
        let mut latencies = Vec::new();
        while let Some(answered) = connections.join_next().await {
            latencies.extend(answered??);
        }
        let rate = latencies.len() as f64 / started.elapsed().as_secs_f64();
        Ok(Load { rate, latencies: sorted(latencies) })
    })
}

async fn client(
    mut stream: TcpStream,
    request: Arc<[u8]>,
    end: Option<Instant>,
    stop: Arc<AtomicBool>,
) -> anyhow::Result<Vec<f64>> {
    let mut latencies = Vec::new();
    let mut buffer = Vec::with_capacity(16 << 10);
    loop {
        let sent = Instant::now();
        if stop.load(Ordering::Relaxed) || end.is_some_and(|end| sent >= end) {
            return Ok(latencies);
        }
        stream.write_all(&request).await?;
        answer(&mut stream, &mut buffer).await?;
        latencies.push(sent.elapsed().as_secs_f64() * 1e3);
    }
}

/// Reads one answer to its end.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<()> {
    buffer.clear();
    let mut whole = None;
    while whole.is_none_or(|whole| buffer.len() < whole) {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        if whole.is_none() {
            whole = length(buffer)?;
        }
    }
    Ok(())
}

/// Bytes of the whole answer, head included, once the head is there.
fn length(answer: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let (head, body) = answer.split_at(end + 4);
    let mut head: &[u8] = head;
    let xtask::http::Head { status, length } = xtask::http::read_head(&mut head)?;
    if status != 201 {
        bail!("a request of the load was answered {status}: {}", String::from_utf8_lossy(body));
    }
    Ok(Some(end + 4 + length))
}
