//! An expression as the API shows it: functions with their arguments by the parameters' names (wire contract 3.7).

use rollcall_syntax::Span;
use rollcall_syntax::expression::{Kind, Node};

use super::compile::parse;
use super::{FunctionInfo, Unusable, functions};

/// A node of the shown tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeNode {
    pub kind: NodeKind,
    /// Of a function or an attribute its name, of a constant its value.
    pub name: String,
    /// The node's own part of the text.
    pub expression: String,
    /// By parameter name, in order; arguments that are left out are missing. Empty but for functions.
    pub parameters: Vec<(String, TreeNode)>,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    Function,
    Attribute,
    Constant,
}

impl NodeKind {
    /// As the API names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Function => "Function",
            Self::Attribute => "Attribute",
            Self::Constant => "Constant",
        }
    }
}

/// The tree of a text that can be parsed; names and arguments are not checked. Comparisons and concatenations show as
/// functions with the names of their signs.
pub fn tree(text: &str) -> Result<TreeNode, Unusable> {
    Ok(shown(text, &parse(text)?))
}

fn shown(text: &str, node: &Node) -> TreeNode {
    let (kind, name, parameters) = match &node.kind {
        Kind::Call { name, arguments, .. } => {
            let function = functions().find(|function| function.name == name);
            let mut parameters = Vec::new();
            for (at, argument) in arguments.iter().enumerate() {
                if let Some(node) = &argument.node {
                    parameters.push((key(function, at, arguments.len()), shown(text, node)));
                }
            }
            (NodeKind::Function, name.clone(), parameters)
        }
        Kind::Attribute(name) => (NodeKind::Attribute, name.clone(), Vec::new()),
        Kind::Text(value) | Kind::Number(value) => (NodeKind::Constant, value.clone(), Vec::new()),
        Kind::Keyword(keyword) => (NodeKind::Constant, keyword.name().to_owned(), Vec::new()),
        Kind::Variable(name) => (NodeKind::Constant, format!("${name}"), Vec::new()),
        Kind::Compare { operator, left, right } => {
            let sides = [("left", left), ("right", right)];
            let parameters = sides.map(|(key, side)| (key.to_owned(), shown(text, side)));
            (NodeKind::Function, operator.sign().to_owned(), parameters.into())
        }
        Kind::Concat(parts) => {
            let parameters = parts.iter().map(|part| ("source".to_owned(), shown(text, part))).collect();
            (NodeKind::Function, "&".to_owned(), parameters)
        }
    };
    let Span { start, end } = node.at;
    TreeNode { kind, name, expression: text.get(start..end).unwrap_or("").to_owned(), parameters }
}

/// The name of the parameter at a position; that of an unknown function is made up.
fn key(function: Option<&FunctionInfo>, at: usize, count: usize) -> String {
    let shift = |skipped: usize, function: &FunctionInfo| at >= skipped && count == function.arity().least;
    let at = match function.and_then(|function| function.skipped.filter(|skipped| shift(*skipped, function))) {
        Some(_) => at + 1,
        None => at,
    };
    let parameter = function.and_then(|function| function.parameter(at));
    parameter.map_or_else(|| format!("argument{}", at + 1), |parameter| parameter.name.to_owned())
}
