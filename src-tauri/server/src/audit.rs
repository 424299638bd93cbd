//! `audit`: the record of human actions on standard output.

use std::io::Write;

use anyhow::anyhow;
use chotdon_core::store::read::{AuditQuery, AuditRecord};
use serde_json::{Value, json};

use crate::cli::{AuditArgs, AuditFormat};
use crate::end::End;
use crate::place::Place;
use crate::shop_data::ShopData;

/// Excel reads UTF-8 only with it.
const BOM: &str = "\u{feff}";

pub(crate) async fn print(place: &Place, filter: AuditArgs) -> Result<(), End> {
    let query = AuditQuery {
        actor: filter.actor,
        action: filter.action,
        subject: filter.subject,
        from: filter.from.map(jiff::Timestamp::as_millisecond),
        to: filter.to.map(jiff::Timestamp::as_millisecond),
        text: filter.text,
    };
    let data = ShopData::open(place).await?;
    // Newest first is how the store pages; a record is read from its beginning.
    let mut rows = Vec::new();
    let mut below = None;
    loop {
        let page = data.audit(&query, below).await?;
        rows.extend(page.rows);
        below = page.next;
        if below.is_none() {
            break;
        }
    }
    data.record("export", "audit", json!({ "rows": rows.len() })).await?;
    data.close().await;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let written = match filter.format {
        AuditFormat::Csv => csv(&mut out, &rows),
        AuditFormat::Json => lines(&mut out, &rows),
    };
    written.and_then(|()| out.flush()).map_err(|error| End::failed(anyhow!("standard output: {error}")))
}

fn csv(out: &mut impl Write, rows: &[AuditRecord]) -> std::io::Result<()> {
    write!(out, "{BOM}id,at,actor,action,subject,data\r\n")?;
    for row in rows.iter().rev() {
        let (actor, action) = (cell(&row.actor), cell(&row.action));
        let (subject, data) = (cell(&row.subject), cell(&row.data));
        write!(out, "{},{},{actor},{action},{subject},{data}\r\n", row.id, time(row.at))?;
    }
    Ok(())
}

fn lines(out: &mut impl Write, rows: &[AuditRecord]) -> std::io::Result<()> {
    for row in rows.iter().rev() {
        let data: Value = serde_json::from_str(&row.data).unwrap_or_default();
        let line = json!({
            "id": row.id, "at": time(row.at), "actor": row.actor, "action": row.action, "subject": row.subject, "data": data,
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// A cell that no spreadsheet runs as a formula.
fn cell(text: &str) -> String {
    let harmless =
        if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if harmless.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", harmless.replace('"', "\"\""))
    } else {
        harmless
    }
}

fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formula_runs() {
        assert_eq!(cell("DH100001"), "DH100001");
        assert_eq!(cell("a, \"b\""), "\"a, \"\"b\"\"\"");
        assert_eq!(cell("=cmd"), "'=cmd");
        assert_eq!(cell("-1"), "'-1");
    }
}
