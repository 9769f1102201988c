//! A page on a terminal.

use super::page::{Block, Page, Section};
use crate::output::{self, clean};

/// Prints it; the outcome stands last, where people look.
pub(super) fn print(page: &Page) -> anyhow::Result<()> {
    output::line(format_args!("Decision {}", clean(&page.decision)))?;
    for Section { heading, blocks } in &page.sections {
        output::line(format_args!("\n{heading}"))?;
        for block in blocks {
            show(block)?;
        }
    }
    output::line(format_args!("\n{}: {}", page.outcome.heading(), clean(&page.sentence)))
}

fn show(block: &Block) -> anyhow::Result<()> {
    match block {
        Block::Text(text) => output::line(format_args!("  {}", clean(text))),
        Block::List(list) => list.iter().try_for_each(|text| output::line(format_args!("  - {}", clean(text)))),
        Block::Pairs(pairs) => {
            let mut table = output::list();
            for (name, value) in pairs {
                table.add_row([clean(name), clean(value)]);
            }
            output::print(&table, "  none")
        }
        Block::Table { caption, head, rows } => {
            output::line(format_args!("  {caption}:"))?;
            let mut table = output::list();
            table.set_header(head.iter().copied());
            for row in rows {
                table.add_row(row.iter().map(|cell| clean(cell)));
            }
            output::print(&table, "  none")
        }
    }
}
