//! `openapi`: the documents of the two APIs, as the listeners serve them.

use crate::cli::Which;
use crate::end::End;
use crate::secret::print_line;

pub(crate) fn print(which: Which) -> Result<(), End> {
    let document = match which {
        Which::Public => {
            serde_json::to_string_pretty(&chotdon_core::http::storefront::openapi()).map_err(End::failed)?
        }
        Which::Admin => chotdon_core::http::admin::openapi(),
    };
    print_line(&document)
}
