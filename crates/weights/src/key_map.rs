//! How the tensors of a file are named in a module: the one mechanism for every kind of file.

mod origin;

use crate::Tensors;
use crate::key_pattern::KeyPattern;
pub(crate) use origin::{Form, Origin};

/// Ordered rules that give the tensors of a file the names a module has for them.
///
/// A rule's pattern is a key path in which `*` stands for one word between dots and `**` for one
/// or more; in the new name, the first `*` is what the first `*` of the pattern stood for, and so
/// on. **The first rule that fits a name decides**; a name that no rule fits stays as it is.
///
/// ```
/// use weights::KeyMap;
///
/// let map = KeyMap::new()
///     .rename("blocks.*.ln_1.**", "layers.*.norm1.**")
///     .drop("blocks.*.attn_mask");
/// assert_eq!(map.renamed("blocks.3.ln_1.bias").as_deref(), Some("layers.3.norm1.bias"));
/// assert_eq!(map.renamed("blocks.3.attn_mask"), None);
/// assert_eq!(map.renamed("head.weight").as_deref(), Some("head.weight"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyMap {
    prefix: String,
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    from: KeyPattern,
    action: Action,
    /// One name; several for [`Action::Split`], none for [`Action::Drop`].
    to: Vec<KeyPattern>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Rename,
    Transpose,
    Split,
    Drop,
}

impl KeyMap {
    /// No rules: every name stays.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names of the form `from` become `to`.
    ///
    /// # Panics
    /// As every rule: where `to` has more wildcards of a kind than `from`.
    pub fn rename(self, from: &str, to: &str) -> Self {
        self.rule(from, Action::Rename, &[to])
    }

    /// Names of the form `from` stay.
    pub fn keep(self, from: &str) -> Self {
        self.rename(from, from)
    }

    /// Matrices of the form `from` become `to` with rows and columns exchanged.
    pub fn transpose(self, from: &str, to: &str) -> Self {
        self.rule(from, Action::Transpose, &[to])
    }

    /// Tensors of the form `from` are cut into equal groups of rows, one for each name of `to`.
    pub fn split(self, from: &str, to: &[&str]) -> Self {
        self.rule(from, Action::Split, to)
    }

    /// Tensors of the form `from` are left out.
    pub fn drop(self, from: &str) -> Self {
        self.rule(from, Action::Drop, &[])
    }

    /// Below `from` the rules of `inner` hold, and what they name goes below `to`.
    pub fn within(mut self, from: &str, to: &str, inner: &KeyMap) -> Self {
        self.rules.extend(inner.rules.iter().map(|rule| Rule {
            from: rule.from.below(from),
            action: rule.action,
            to: rule.to.iter().map(|target| target.below(to)).collect(),
        }));
        self
    }

    /// Only tensors whose name begins with `prefix` are seen, and the rules see their names
    /// without it; the others are left out.
    pub fn under(mut self, prefix: &str) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// All names of whole tensors that become `name`, without the prefix of [`Self::under`].
    pub fn sources(&self, name: &str) -> Vec<String> {
        let words: Vec<&str> = name.split('.').collect();
        let renamings = self.rules.iter().filter(|rule| rule.action == Action::Rename);
        renamings
            .filter_map(|rule| Some(rule.from.filled(&rule.to.first()?.captures(&words)?)))
            // Another rule may come first.
            .filter(|source| self.decide(source).is_some_and(|(_, names)| names == [name]))
            .collect()
    }

    fn rule(mut self, from: &str, action: Action, to: &[&str]) -> Self {
        let from = KeyPattern::parse(from);
        let to: Vec<_> = to.iter().map(|to| KeyPattern::parse(to)).collect();
        for target in &to {
            assert!(target.is_filled_by(&from), "`{target}` has wildcards that `{from}` lacks");
        }
        self.rules.push(Rule { from, action, to });
        self
    }

    /// The name that one tensor gets, `None` where it is left out or does not stay whole.
    pub fn renamed(&self, name: &str) -> Option<String> {
        let name = name.strip_prefix(&self.prefix)?;
        match self.decide(name) {
            Some((Action::Rename | Action::Transpose, names)) => names.into_iter().next(),
            Some((Action::Split | Action::Drop, _)) => None,
            None => Some(name.to_string()),
        }
    }

    /// What the first rule that fits does, and the names it gives.
    fn decide(&self, name: &str) -> Option<(Action, Vec<String>)> {
        let words: Vec<&str> = name.split('.').collect();
        self.rules.iter().find_map(|rule| {
            let captures = rule.from.captures(&words)?;
            Some((rule.action, rule.to.iter().map(|to| to.filled(&captures)).collect()))
        })
    }

    /// All tensors under their new names.
    ///
    /// # Errors
    /// The name and shape of a tensor that cannot be cut or turned as its rule says.
    pub fn apply<'a>(&self, mut tensors: Tensors<'a>) -> Result<Tensors<'a>, Unfit> {
        let mut renamed = self.take(&mut tensors)?;
        for (name, tensor) in tensors {
            if let Some(name) = name.strip_prefix(&self.prefix) {
                renamed.insert(name.to_string(), tensor);
            }
        }
        Ok(renamed)
    }

    /// Takes the tensors that a rule fits out of `tensors` and gives them their new names.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn take<'a>(&self, tensors: &mut Tensors<'a>) -> Result<Tensors<'a>, Unfit> {
        let mut renamed = Tensors::new();
        for (name, tensor) in std::mem::take(tensors) {
            let decision = name.strip_prefix(&self.prefix).and_then(|name| self.decide(name));
            let Some((action, names)) = decision else {
                tensors.insert(name, tensor);
                continue;
            };
            let shape = tensor.shape().to_vec();
            let pieces = match action {
                Action::Drop => Some(Vec::new()),
                Action::Rename => Some(vec![tensor]),
                Action::Transpose => tensor.transposed().map(|turned| vec![turned]),
                Action::Split => tensor.cut(names.len()),
            };
            let pieces = pieces.ok_or(Unfit { name, shape })?;
            renamed.extend(names.into_iter().zip(pieces));
        }
        Ok(renamed)
    }
}

/// A tensor that does not have the shape which the rule for its name needs: a matrix to be
/// transposed, rows to be cut into equal parts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` has the shape {shape:?}, which does not allow its conversion")]
pub struct Unfit {
    /// Its name in the file.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

#[cfg(test)]
mod tests {
    use super::{KeyMap, Unfit};
    use crate::{StoredTensor, Tensors};

    fn tensors(entries: &[(&str, &[usize])]) -> Tensors<'static> {
        let owned = |(name, shape): &(&str, &[usize])| {
            let values = (0..shape.iter().product::<usize>()).map(|value| value as f32).collect();
            (name.to_string(), StoredTensor::Owned { shape: shape.to_vec(), values })
        };
        entries.iter().map(owned).collect()
    }

    fn names(tensors: &Tensors<'_>) -> Vec<String> {
        tensors.keys().cloned().collect()
    }

    #[test]
    fn the_first_rule_that_fits_decides_and_other_names_stay() {
        let map = KeyMap::new().keep("a.special.**").rename("a.**", "b.**").drop("c");
        let given = tensors(&[("a.special.x", &[1]), ("a.x", &[1]), ("c", &[1]), ("d", &[1])]);
        assert_eq!(names(&map.apply(given).unwrap()), ["a.special.x", "b.x", "d"]);
    }

    #[test]
    fn take_leaves_what_no_rule_fits_under_its_whole_name() {
        let map = KeyMap::new().rename("a", "b").under("model.");
        let mut given = tensors(&[("model.a", &[1]), ("model.c", &[1]), ("a", &[1])]);
        assert_eq!(names(&map.take(&mut given).unwrap()), ["b"]);
        assert_eq!(names(&given), ["a", "model.c"]);
        let given = tensors(&[("model.a", &[1]), ("model.c", &[1]), ("a", &[1])]);
        assert_eq!(names(&map.apply(given).unwrap()), ["b", "c"]);
    }

    #[test]
    fn rules_within_another_pattern_see_the_rest_of_the_name() {
        let inner = KeyMap::new().rename("q.**", "to_q.**").split("qk", &["q", "k"]);
        let map = KeyMap::new().within("mid.*", "mid_block.*", &inner);
        assert_eq!(map.renamed("mid.7.q.weight").as_deref(), Some("mid_block.7.to_q.weight"));
        let given = tensors(&[("mid.7.qk", &[4, 2])]);
        let cut = map.apply(given).unwrap();
        assert_eq!(names(&cut), ["mid_block.7.k", "mid_block.7.q"]);
        assert_eq!(cut["mid_block.7.k"].shape(), [2, 2]);
        assert_eq!(cut["mid_block.7.k"].to_f32().unwrap().unwrap(), [4., 5., 6., 7.]);
    }

    #[test]
    fn sources_are_all_names_that_become_one() {
        let map = KeyMap::new().rename("a.1.conv.*", "up.*").rename("a.2.conv.*", "up.*");
        let map = map.rename("a.1.**", "attention.**").under("model.");
        assert_eq!(map.sources("up.weight"), ["a.1.conv.weight", "a.2.conv.weight"]);
        assert_eq!(map.sources("attention.norm.bias"), ["a.1.norm.bias"]);
        // The first rule takes that name.
        assert_eq!(map.sources("attention.conv.bias"), [""; 0]);
        assert_eq!(map.sources("other"), [""; 0]);
    }

    #[test]
    fn shapes_that_cannot_be_cut_or_turned_are_named() {
        let map = KeyMap::new().split("qkv", &["q", "k", "v"]).transpose("p", "p.weight");
        for (name, shape) in [("qkv", &[4, 2][..]), ("qkv", &[0, 2]), ("qkv", &[]), ("p", &[4])] {
            let unfit = map.apply(tensors(&[(name, shape)])).unwrap_err();
            assert_eq!(unfit, Unfit { name: name.into(), shape: shape.to_vec() });
        }
        let turned = map.apply(tensors(&[("p", &[2, 3])])).unwrap();
        assert_eq!(turned["p.weight"].to_f32().unwrap().unwrap(), [0., 3., 1., 4., 2., 5.]);
    }
}
