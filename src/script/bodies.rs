//! The statements of each function of a syntax tree.

use rhai::{AST, ASTNode, Engine, Stmt};

/// The bodies of functions. Rhai has no public name for the type they are in, but it walks through them; so each is
/// taken alone.
pub(super) struct Bodies {
    functions: AST,
    /// A function without a body: what is merged into an `AST` without any is not filtered.
    seed: AST,
}

impl Bodies {
    pub(super) fn of(engine: &Engine, ast: &AST) -> Bodies {
        let seed = engine.compile("fn rhaid_seed() {}").unwrap_or_default();
        Bodies { functions: ast.clone_functions_only(), seed }
    }

    /// The statements of the function of this name with so many parameters.
    pub(super) fn get(&self, name: &str, count: usize) -> Vec<Stmt> {
        let is_wanted = |_, _, _, other: &str, params| other == name && params == count;
        let alone = self.seed.merge_filtered(&self.functions, is_wanted);
        let mut body = Vec::new();
        alone.walk(&mut |path: &[ASTNode]| {
            if let [ASTNode::Stmt(statement)] = path {
                body.push((*statement).clone());
            }
            true
        });
        body
    }
}
