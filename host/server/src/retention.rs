//! How long payloads are kept, and taking them away when that is over.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use assize_ledger::Timestamp;
use assize_store::{Change, ChangeDraft};

use crate::app::SharedApp;
use crate::identity::HOST;
use crate::pipeline::details;
use crate::problem::Problem;

/// How long the inputs and records of a tenant's decisions are kept. Entries stay for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retention {
    /// So many days after the decision.
    Days(u64),
    /// Nothing may be erased, asked for or not.
    LegalHold,
}

/// BTV-7; the EU AI Act asks for six months at least (Art. 19 and 26(6)).
pub(crate) const DEFAULT: Retention = Retention::Days(5 * 365 + 1);

impl Retention {
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        if text == "legal_hold" {
            return Ok(Self::LegalHold);
        }
        let days = text.strip_suffix('d').and_then(|days| days.parse().ok()).filter(|days| (1..=36_525).contains(days));
        days.map(Self::Days).ok_or_else(|| {
            Problem::invalid("payloads", format!("{text:?}: use days from 1d to 36525d, e.g. 30d, or legal_hold"))
        })
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(days) => write!(f, "{days}d"),
            Self::LegalHold => f.write_str("legal_hold"),
        }
    }
}

/// How often it is looked what is kept too long.
const EVERY: Duration = Duration::from_hours(1);
/// Decisions that one entry erases.
const BATCH: u32 = 1_000;
const DAY: u64 = 24 * 60 * 60 * 1_000;

/// What holds for a tenant.
pub(crate) async fn of(app: &SharedApp, tenant: &str) -> Result<Retention, Problem> {
    let all = app.store.retentions().await?;
    match all.iter().find(|row| row.tenant == tenant) {
        Some(row) => Retention::parse(&row.payloads),
        None => Ok(DEFAULT),
    }
}

/// Takes away what is kept too long, for as long as it is polled.
pub(crate) async fn run(app: SharedApp) {
    loop {
        if let Err(problem) = sweep(&app).await {
            tracing::error!(problem = problem.detail(), "what is kept too long could not be erased");
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn sweep(app: &SharedApp) -> Result<(), Problem> {
    for tenant in app.store.tenants().await? {
        let Retention::Days(days) = of(app, &tenant).await? else { continue };
        let now = Timestamp::now().as_millis();
        let Some(before) = Timestamp::from_millis(now.saturating_sub(days * DAY)) else { continue };
        loop {
            let kept = app.store.kept_before(&tenant, before, BATCH).await?;
            if kept.is_empty() {
                break;
            }
            tracing::info!(tenant, decisions = kept.len(), days, "erasing payloads whose time is over");
            let draft = ChangeDraft {
                tenant: Some(tenant.clone()),
                time: Timestamp::now(),
                details: details([("key", HOST)]),
                confidential: BTreeMap::new(),
                input: None,
                change: Change::Erase {
                    id: uuid::Uuid::now_v7().to_string(),
                    basis: format!("retention of {days}d"),
                    targets: kept.into_iter().collect(),
                },
            };
            app.store.change(draft).await?;
        }
    }
    Ok(())
}
