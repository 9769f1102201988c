//! How long payloads are kept, and taking them away when that is over.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use assize_ledger::Timestamp;
use assize_store::{Change, ChangeDraft, ErasureCause, LEGAL_HOLD, StoreError};

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
        if text == LEGAL_HOLD {
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
            Self::LegalHold => f.write_str(LEGAL_HOLD),
        }
    }
}

/// How often it is looked what is kept too long.
const EVERY: Duration = Duration::from_hours(1);
/// Decisions that one entry erases. A thousand took PostgreSQL two seconds, for which no other host could record anything, stops included.
pub(crate) const BATCH: u32 = 200;
/// Between two of them: whoever waits goes first.
const PAUSE: Duration = Duration::from_millis(100);
const DAY: u64 = 24 * 60 * 60 * 1_000;

/// What holds for a tenant.
pub(crate) async fn of(app: &SharedApp, tenant: &str) -> Result<Retention, Problem> {
    set(app, tenant).await?.map_or(Ok(DEFAULT), |payloads| Retention::parse(&payloads))
}

/// What a tenant set last, as it is recorded.
async fn set(app: &SharedApp, tenant: &str) -> Result<Option<String>, Problem> {
    let all = app.store.retentions().await?;
    Ok(all.into_iter().find(|row| row.tenant == tenant).map(|row| row.payloads))
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
        loop {
            // Each time anew: a legal hold or a longer retention may have come.
            let set = set(app, &tenant).await?;
            let Retention::Days(days) = set.as_deref().map_or(Ok(DEFAULT), Retention::parse)? else { break };
            let now = Timestamp::now().as_millis();
            let Some(before) = Timestamp::from_millis(now.saturating_sub(days * DAY)) else { break };
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
                    cause: ErasureCause::Retention(set),
                    targets: kept.into_iter().collect(),
                },
            };
            match app.store.change(draft).await {
                // It came between the look and the record: the next look heeds it.
                Ok(_) | Err(StoreError::Held { .. } | StoreError::RetentionChanged { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}
