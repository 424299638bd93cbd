//! How much each channel may say: three messages a minute, twenty an hour, one at a time, and nothing twice. Kept in
//! memory; a restart begins anew.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use chotdon_domain::channel::Channel;
use chotdon_store::Telling;

use crate::config::{Config, minute_of_day};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Vietnam keeps one offset all year.
const VIETNAM_MS: i64 = 7 * HOUR_MS;
const MOST_A_MINUTE: usize = 3;
const MOST_AN_HOUR: usize = 20;

/// What each channel has said in the last hour.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When, ms.
    times: Mutex<[VecDeque<i64>; Channel::COUNT]>,
    /// Of which notice, as of when (`last_at`), and when that was, ms. The database learns it a commit later, and others
    /// ask meanwhile.
    told: Mutex<HashMap<(Channel, i64), (i64, i64)>>,
    turns: [tokio::sync::Mutex<()>; Channel::COUNT],
}

impl Pace {
    /// Takes the right to one message at `now`.
    ///
    /// # Errors
    /// When the next one may be sent, ms.
    pub(crate) fn take(&self, channel: Channel, now: i64) -> Result<(), i64> {
        let mut all = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let said = &mut all[channel as usize];
        while said.front().is_some_and(|at| now - at >= HOUR_MS) {
            said.pop_front();
        }
        let last_minute: Vec<i64> = said.iter().copied().filter(|at| now - at < MINUTE_MS).collect();
        if last_minute.len() >= MOST_A_MINUTE {
            return Err(last_minute.first().map_or(now, |at| at + MINUTE_MS));
        }
        if said.len() >= MOST_AN_HOUR {
            return Err(said.front().map_or(now + HOUR_MS, |at| at + HOUR_MS));
        }
        said.push_back(now);
        Ok(())
    }

    /// Waits for the channel's turn: who looks for what is to be said, and says it, does so alone.
    pub(crate) async fn turn(&self, channel: Channel) -> tokio::sync::MutexGuard<'_, ()> {
        self.turns[channel as usize].lock().await
    }

    /// Notes that the channel has told of these at `now`, ms.
    pub(crate) fn has_told(&self, channel: Channel, tellings: &[Telling], now: i64) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, (_, at)| now - *at < HOUR_MS);
        for telling in tellings {
            told.insert((channel, telling.notice.id), (telling.notice.last_at, now));
        }
    }

    /// Whether the channel has not told of it since it last happened.
    pub(crate) fn is_news(&self, channel: Channel, telling: &Telling) -> bool {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.get(&(channel, telling.notice.id)).is_none_or(|(as_of, _)| *as_of < telling.notice.last_at)
    }

    /// Gives back a right that was taken at `at` and not used.
    pub(crate) fn give_back(&self, channel: Channel, at: i64) {
        let mut all = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let said = &mut all[channel as usize];
        if let Some(index) = said.iter().rposition(|said| *said == at) {
            said.remove(index);
        }
    }
}

/// When the quiet hours end that `now` lies in, ms.
pub(crate) fn quiet_until(config: &Config, now: i64) -> Option<i64> {
    let from = i64::from(minute_of_day(&config.notifications.quiet_from));
    let to = i64::from(minute_of_day(&config.notifications.quiet_to));
    let day = (now + VIETNAM_MS).div_euclid(24 * HOUR_MS) * 24 * HOUR_MS - VIETNAM_MS;
    let minute = (now - day) / MINUTE_MS;
    let quiet = if from <= to { (from..to).contains(&minute) } else { minute >= from || minute < to };
    let end = day + to * MINUTE_MS;
    quiet.then(|| if end > now { end } else { end + 24 * HOUR_MS })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_a_minute_and_twenty_an_hour_for_each_channel() {
        let pace = Pace::default();
        for _ in 0..3 {
            assert_eq!(pace.take(Channel::Telegram, 1_000), Ok(()));
        }
        assert_eq!(pace.take(Channel::Telegram, 2_000), Err(61_000));
        assert_eq!(pace.take(Channel::Mail, 2_000), Ok(()), "another channel has its own");
        pace.give_back(Channel::Telegram, 1_000);
        assert_eq!(pace.take(Channel::Telegram, 2_000), Ok(()), "what was not sent does not count");
        let mut sent = 3;
        let mut now = 2_000;
        while sent < MOST_AN_HOUR {
            now += MINUTE_MS;
            assert_eq!(pace.take(Channel::Telegram, now), Ok(()));
            sent += 1;
        }
        assert_eq!(pace.take(Channel::Telegram, now + MINUTE_MS), Err(1_000 + HOUR_MS));
        assert_eq!(pace.take(Channel::Telegram, 1_000 + HOUR_MS), Ok(()));
    }

    #[test]
    fn quiet_hours_end_in_the_morning() {
        let config = Config::default();
        // 2026-11-21 17:00 UTC is midnight in Vietnam.
        let midnight: i64 = 1_795_280_400_000;
        assert_eq!(quiet_until(&config, midnight), Some(midnight + 7 * HOUR_MS));
        assert_eq!(quiet_until(&config, midnight - HOUR_MS), Some(midnight + 7 * HOUR_MS));
        assert_eq!(quiet_until(&config, midnight + 7 * HOUR_MS), None);
        assert_eq!(quiet_until(&config, midnight + 12 * HOUR_MS), None);
    }
}
