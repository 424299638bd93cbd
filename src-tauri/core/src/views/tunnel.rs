//! The way from the internet to the shop: its state, its settings, what its program says.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /admin/api/tunnel`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Tunnel {
    /// `none`, `cloudflared`, `ngrok`, `ssh`, `command`.
    pub kind: String,
    /// `off` (no public address), `starting`, `up`, `degraded`, `down`.
    pub state: String,
    /// Why it is degraded or down, for the UI's catalogue.
    pub reason: Option<String>,
    /// Technical words to the reason.
    pub detail: Option<String>,
    pub since: String,
    /// The address that customers and SePay use; `null` = none.
    pub public_url: Option<String>,
    /// To copy into SePay.
    pub webhook_url: String,
    /// True when the address is another one after each start: for trying out only.
    pub temporary: bool,
    /// When a check last came through.
    pub reached_at: Option<String>,
    /// Until when the address's certificate is good; `null` without HTTPS or before the first check.
    pub certificate_until: Option<String>,
    /// Starts of the program after the first, since the app runs.
    pub restarts: u64,
    /// When an authentic webhook last came through the public address, since the app runs.
    pub round_trip_at: Option<String>,
    /// The program's last lines, oldest first, secrets hidden.
    pub output: Vec<TunnelLine>,
    /// The states of the last 24 hours, oldest first, each until the next one.
    pub history: Vec<TunnelMoment>,
    /// The last time that the machine slept, since the app runs.
    pub woke: Option<Woke>,
}

/// The public address in one line.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct TunnelGlance {
    /// `none`, `cloudflared`, `ngrok`, `ssh`, `command`.
    pub kind: String,
    /// `off` (no public address), `starting`, `up`, `degraded`, `down`.
    pub state: String,
    /// Why it is degraded or down, for the UI's catalogue.
    pub reason: Option<String>,
    pub since: String,
}

/// A line of the tunnel's program.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct TunnelLine {
    pub at: String,
    pub text: String,
}

/// A state that was, from `at` on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct TunnelMoment {
    pub at: String,
    pub state: String,
    pub reason: Option<String>,
}

/// A sleep of the machine that is over.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Woke {
    /// When it was over.
    pub at: String,
    pub slept_s: i64,
    /// Transfers that were found at SePay afterwards; `null` while that is looked for, or without an API token.
    pub added: Option<i64>,
}

/// Section `tunnel` of the settings; what a kind does not use is kept. Its key is the secret `tunnel.token`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct TunnelSettings {
    /// `none`, `cloudflared`, `ngrok`, `ssh`, `command`.
    pub kind: String,
    /// Address of the tunnel; `null` = what its program says.
    pub url: Option<String>,
    /// With `none`: address of the owner's own reverse proxy (`public.base_url`).
    pub base_url: Option<String>,
    /// Empty = the usual name.
    pub program: String,
    pub args: Vec<String>,
    pub url_hint: Option<String>,
    pub ssh_host: String,
    pub ssh_port: u16,
    pub ssh_user: String,
    pub ssh_key_file: Option<String>,
    pub ssh_agent_socket: Option<String>,
    /// `PORT` or `ADDRESS:PORT` on the server.
    pub ssh_remote: String,
    pub check_every_s: u32,
}
