//! From one store to another: everything is copied and read back before anything is removed.

use secrecy::{ExposeSecret, SecretString};

use super::{SecretName, same};
use crate::ports::{SecretError, SecretStore};

/// What lies beside the secrets under names of its own: the names of the open families, and the end of the record.
const BESIDE: [&str; 2] = ["names", "audit.head"];

/// Moves every entry, values before a rotation too, and answers how many there were.
///
/// # Errors
/// The stores'; nothing was removed then.
pub async fn move_all(from: &dyn SecretStore, to: &dyn SecretStore) -> Result<usize, SecretError> {
    let index = from.get(BESIDE[0]).await?;
    let members = index.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
    let members = members.lines().filter_map(|name| SecretName::parse(name).ok());
    let names = SecretName::settable().chain(SecretName::internal()).chain(members);
    let mut entries: Vec<String> = BESIDE.map(str::to_owned).to_vec();
    entries.extend(names.flat_map(|name| [name.as_str().to_owned(), name.previous()]));
    let mut moved: Vec<String> = Vec::new();
    for entry in entries {
        let Some(value) = from.get(&entry).await? else { continue };
        to.set(&entry, SecretString::from(value.expose_secret())).await?;
        let read = to.get(&entry).await?;
        if !read.is_some_and(|read| same(read.expose_secret(), value.expose_secret())) {
            return Err(SecretError::Unavailable(
                "the new store does not give back what it was given".to_owned(),
            ));
        }
        moved.push(entry);
    }
    for entry in &moved {
        from.delete(entry).await?;
    }
    Ok(moved.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::{Credentials, MemorySecrets, OVERLAP};
    use std::sync::Arc;

    #[tokio::test]
    async fn everything_moves_and_nothing_stays() {
        let (one, two) = (Arc::new(MemorySecrets::default()), Arc::new(MemorySecrets::default()));
        let before = Credentials::new(one.clone());
        let lms = SecretName::parse("lms.moodle").unwrap();
        before.set(&lms, "first".into()).await.unwrap();
        before.rotate(&lms, "second".into(), 0, OVERLAP).await.unwrap();
        before.get_or_generate(&SecretName::admin_token()).await.unwrap();
        one.set("audit.head", "3:abc".into()).await.unwrap();
        assert_eq!(move_all(&*one, &*two).await.unwrap(), 5);
        let after = Credentials::new(two.clone());
        let live = after.live_values(&lms, 1).await.unwrap();
        assert_eq!(live.iter().map(|one| one.expose_secret()).collect::<Vec<_>>(), ["second", "first"]);
        assert!(after.list(1).await.unwrap().iter().any(|row| row.name == lms));
        assert_eq!(move_all(&*one, &*two).await.unwrap(), 0, "nothing is left");
    }

    #[tokio::test]
    async fn a_store_that_takes_nothing_loses_nothing() {
        let (one, two) = (MemorySecrets::with([("smtp.password", "x")]), MemorySecrets::default());
        two.break_with(Some(SecretError::Unavailable("locked".to_owned())));
        assert!(move_all(&one, &two).await.is_err());
        assert!(one.get("smtp.password").await.unwrap().is_some());
    }
}
