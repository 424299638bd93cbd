//! What the money of one customer with one order is, said as shortly as it can be and not a line of it shared with
//! the shop. `Err(())` is a refusal, after which nothing is different.

/// Where a transfer that nobody knew was put by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spot {
    Nowhere,
    Order,
    Wallet,
    Aside,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Model {
    pub(crate) stage: &'static str,
    pub(crate) total: i64,
    pub(crate) expires: i64,
    pub(crate) marked: bool,
    pub(crate) came_in: i64,
    pub(crate) held: i64,
    pub(crate) wallet: i64,
    pub(crate) unmatched: i64,
    pub(crate) aside: i64,
    pub(crate) refunded: i64,
    pub(crate) adjusted: i64,
}

type Done = Result<(), ()>;

fn when(allowed: bool) -> Done {
    if allowed { Ok(()) } else { Err(()) }
}

#[rustfmt::skip] // one rule a line
impl Model {
    pub(crate) fn expire(&mut self, now: i64) { if self.stage == "pending" && now >= self.expires { self.stage = "expired" } }
    /// Money reaches the order that came at `at`. A shop in time pays it even after the sweep, if it covers the order.
    fn land(&mut self, amount: i64, at: i64, by_hand: bool) -> &'static str {
        self.held += amount;
        self.expire(at);
        if by_hand && self.stage == "expired" && at < self.expires && self.held >= self.total { self.stage = "pending" }
        match self.stage {
            "pending" if self.held > self.total => { self.stage = "paid"; "overpaid" }
            "pending" if self.held == self.total => { self.stage = "paid"; "paid" }
            "pending" => "partial",
            "paid" => "overpaid",
            _ => "late",
        }
    }
    pub(crate) fn webhook(&mut self, amount: i64, at: i64) -> &'static str { self.came_in += amount; self.land(amount, at, false) }
    pub(crate) fn topup(&mut self, amount: i64) -> &'static str { self.came_in += amount; self.wallet += amount; "credited" }
    pub(crate) fn stray(&mut self, amount: i64) -> &'static str { self.came_in += amount; self.unmatched += amount; "unmatched" }
    pub(crate) fn place(&mut self, spot: Spot, amount: i64, at: i64) {
        self.unmatched -= amount;
        match spot { Spot::Order => { self.land(amount, at, true); } Spot::Wallet => self.wallet += amount, _ => self.aside += amount }
    }
    pub(crate) fn undo(&mut self, spot: Spot, amount: i64, now: i64) -> Done {
        let from = match spot { Spot::Order => &mut self.held, Spot::Wallet => &mut self.wallet, Spot::Aside => &mut self.aside, Spot::Nowhere => return Err(()) };
        when(*from >= amount)?;
        *from -= amount;
        self.unmatched += amount;
        if spot == Spot::Order && self.stage == "paid" && self.held < self.total && !self.marked { self.stage = "pending"; self.expire(now) }
        Ok(())
    }
    pub(crate) fn cancel(&mut self) -> Done { when(matches!(self.stage, "pending" | "expired"))?; self.stage = "cancelled"; Ok(()) }
    pub(crate) fn mark_paid(&mut self) -> Done { when(self.stage != "paid" && (self.stage != "refunded" || self.held > 0))?; self.stage = "paid"; self.marked = true; Ok(()) }
    pub(crate) fn refund(&mut self, part: Option<i64>) -> Done {
        let amount = part.unwrap_or(self.held);
        when(amount <= self.held && (amount > 0 || (part.is_none() && self.marked && self.stage == "paid")))?;
        self.held -= amount;
        self.refunded += amount;
        if self.held == 0 { self.stage = "refunded" }
        Ok(())
    }
    pub(crate) fn surplus(&mut self, to_wallet: bool) -> Done {
        let over = match self.stage { "pending" => 0, "paid" => self.held - self.total, _ => self.held };
        when(over > 0)?;
        self.held -= over;
        if to_wallet { self.wallet += over } else { self.aside += over }
        Ok(())
    }
    pub(crate) fn wallet_pay(&mut self, now: i64) -> Done {
        let due = self.total - self.held;
        when(self.stage == "pending" && now < self.expires && self.wallet >= due)?;
        (self.wallet, self.held, self.stage) = (self.wallet - due, self.total, "paid");
        Ok(())
    }
    pub(crate) fn adjust(&mut self, by: i64) -> Done { when(self.wallet + by >= 0)?; self.wallet += by; self.adjusted += by; Ok(()) }
    /// Takes a surplus or a refund back; where it went must still hold it.
    pub(crate) fn put_back(&mut self, kind: &str, to_wallet: bool, amount: i64) -> Done {
        let from = match kind { "refund" => &mut self.refunded, _ if to_wallet => &mut self.wallet, _ => &mut self.aside };
        when(*from >= amount)?;
        *from -= amount;
        self.held += amount;
        Ok(())
    }
}
