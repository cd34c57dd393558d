//! The way back: the name that a file has for a tensor of a module.

use super::{Action, KeyMap};

/// Where in a file a tensor of a module comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Its name in the file.
    pub(crate) name: String,
    /// How the file's tensor becomes the module's.
    pub(crate) form: Form,
}

/// How a file's tensor becomes a module's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it is.
    Same,
    /// With rows and columns exchanged.
    Transposed,
    /// It is one of equal groups of rows.
    Part {
        /// Which.
        index: usize,
        /// Of how many.
        count: usize,
    },
}

impl KeyMap {
    /// Whether some rule gives this name, so that the way back is known.
    pub fn gives(&self, name: &str) -> bool {
        self.rule_origin(name).is_some()
    }

    /// Where a tensor of that name comes from, by the first rule that gives it; without one it has
    /// the same name in the file.
    pub(crate) fn origin(&self, name: &str) -> Origin {
        let origin = self.rule_origin(name);
        let Origin { name, form } =
            origin.unwrap_or_else(|| Origin { name: name.to_string(), form: Form::Same });
        Origin { name: format!("{}{name}", self.prefix), form }
    }

    fn rule_origin(&self, name: &str) -> Option<Origin> {
        let words: Vec<&str> = name.split('.').collect();
        self.rules.iter().find_map(|rule| {
            rule.to.iter().enumerate().find_map(|(index, to)| {
                // What the target does not keep of the file's name cannot be told.
                let captures = to.captures(&words).filter(|_| rule.from.is_filled_by(to))?;
                let form = match rule.action {
                    Action::Rename | Action::Drop => Form::Same,
                    Action::Transpose => Form::Transposed,
                    Action::Split => Form::Part { index, count: rule.to.len() },
                };
                Some(Origin { name: rule.from.filled(&captures), form })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_leads_back_whatever_the_rule() {
        let layer = KeyMap::new().split("qkv", &["q", "k", "v"]).rename("norm.*", "norm1.*");
        let map = KeyMap::new()
            .within("blocks.*", "layers.*", &layer)
            .transpose("p", "p.weight")
            .drop("mask")
            .under("model.");
        let origin = |name: &str| {
            let Origin { name, form } = map.origin(name);
            (name, form)
        };
        let part = Form::Part { index: 1, count: 3 };
        assert_eq!(origin("layers.7.k"), ("model.blocks.7.qkv".into(), part));
        assert_eq!(origin("layers.7.norm1.bias"), ("model.blocks.7.norm.bias".into(), Form::Same));
        assert_eq!(origin("p.weight"), ("model.p".into(), Form::Transposed));
        assert_eq!(origin("mask"), ("model.mask".into(), Form::Same));
        assert!(map.gives("layers.7.v") && !map.gives("layers.7.w") && !map.gives("mask"));
    }

    #[test]
    fn origin_by_the_first_rule_that_gives_the_name() {
        let map = KeyMap::new().keep("a.special.**").rename("b.**", "a.**");
        assert_eq!(map.origin("a.special.x").name, "a.special.x");
        assert_eq!(map.origin("a.x").name, "b.x");
        // A rule that forgets which of several a tensor was has no way back.
        let forgetful = KeyMap::new().rename("c.*.weight", "c.weight");
        assert_eq!(forgetful.origin("c.weight").name, "c.weight");
        assert!(!forgetful.gives("c.weight"));
    }
}
