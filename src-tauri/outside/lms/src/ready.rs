//! The recipes that come along. The files in `recipes/` are the documentation of what is sent.

use std::sync::LazyLock;

use crate::recipe::Recipe;

const FILES: [&str; 5] = [
    include_str!("../recipes/moodle.toml"),
    include_str!("../recipes/teachable.toml"),
    include_str!("../recipes/thinkific.toml"),
    include_str!("../recipes/canvas.toml"),
    include_str!("../recipes/open_edx.toml"),
];

static READY: LazyLock<Vec<Recipe>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|text| Recipe::from_toml(text).expect("the recipes that come along are tested"))
        .collect()
});

/// Every recipe that comes along.
#[must_use]
pub fn ready() -> &'static [Recipe] {
    &READY
}

/// The one of that name.
#[must_use]
pub fn recipe(name: &str) -> Option<&'static Recipe> {
    READY.iter().find(|recipe| recipe.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_that_comes_along_is_good_and_can_take_access_back() {
        for text in FILES {
            let recipe = Recipe::from_toml(text).unwrap();
            assert!(recipe.unenrol.is_some() && !recipe.about.is_empty(), "{}", recipe.name);
        }
        let names: Vec<&str> = ready().iter().map(|recipe| recipe.name.as_str()).collect();
        assert_eq!(names, ["moodle", "teachable", "thinkific", "canvas", "open_edx"]);
    }
}
