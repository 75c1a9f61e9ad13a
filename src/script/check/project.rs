//! A script with all files it imports, as input of the analysis.
//!
//! Owns following imports. Leaves looking into functions to `walk`. Invariant: a file is read once, and the
//! analysis continues without files that cannot be read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rhai::{AST, ASTFlags, ASTNode, Engine, Expr, FnAccess, ImmutableString, Position, Stmt};

use super::Problems;
use super::syntax::{Unread, parse};
use crate::script::bodies::Bodies;
use crate::script::source::Sources;
use crate::script::this_parts::Closures;

/// A function, or a closure.
pub(super) struct Function {
    pub(super) name: String,
    pub(super) params: Vec<ImmutableString>,
    pub(super) is_private: bool,
    /// Where its body begins.
    pub(super) position: Position,
    pub(super) body: Vec<Stmt>,
}

/// One file.
pub(super) struct File {
    pub(super) name: String,
    /// Its top level.
    pub(super) statements: Vec<Stmt>,
    pub(super) functions: Vec<Function>,
    /// By the name that Rhai gives them.
    pub(super) closures: HashMap<String, Function>,
    pub(super) with_this: Closures,
    /// Variables of the top level, which its functions see.
    pub(super) variables: BTreeSet<String>,
    /// What it exports, by the name that others see.
    pub(super) exports: BTreeSet<String>,
    /// Imports of the top level by their names, with the file; `None` when the file is not known.
    pub(super) imports: BTreeMap<String, Option<usize>>,
    /// All imports by their paths.
    pub(super) paths: BTreeMap<String, Option<usize>>,
    pub(super) unread: Unread,
    /// Text that is made while the script runs can do anything with variables.
    pub(super) has_eval: bool,
}

/// See the module's description. The first file is the script itself.
#[derive(Default)]
pub(super) struct Project {
    pub(super) files: Vec<File>,
    /// Names of all imports, also of those inside functions.
    pub(super) aliases: BTreeSet<String>,
    /// Everything that may be a key of a map, which can hold a function.
    pub(super) keys: BTreeSet<String>,
    /// Variables that are written to after their declaration.
    pub(super) assigned: BTreeSet<String>,
    /// Names that a script asks for before it uses them.
    pub(super) guarded: BTreeSet<String>,
    /// Functions that are called with the variables of their callers.
    pub(super) open_functions: BTreeSet<String>,
    /// Environment variables that it asks for by a literal name.
    pub(super) env_names: BTreeSet<String>,
}

impl Project {
    /// Reads everything.
    pub(super) fn read(engine: &Engine, sources: &Sources, findings: &mut Problems) -> Project {
        let mut project = Project::default();
        let mut loading = Vec::new();
        project.add(engine, sources, sources.main(), &sources.main_text(), findings, &mut loading);
        project
    }

    /// The script's own file.
    pub(super) fn main(&self) -> &File {
        &self.files[0]
    }

    /// Whether a function of this name stands in any file; `count` is how many parameters it has to have.
    pub(super) fn has_function(&self, name: &str, count: Option<usize>) -> bool {
        self.files.iter().any(|file| file.has_function(name, count))
    }

    fn add(
        &mut self,
        engine: &Engine,
        sources: &Sources,
        name: &str,
        text: &str,
        findings: &mut Problems,
        loading: &mut Vec<usize>,
    ) -> usize {
        let parsed = parse(engine, text);
        for error in parsed.errors {
            findings.add(name, (error.position, 0), "syntax", error.message, error.hint);
        }
        let ast = parsed.ast.unwrap_or_default();
        let index = self.files.len();
        self.files.push(File::new(engine, name, &ast, parsed.unread));
        loading.push(index);
        let mut imports = Vec::new();
        ast.walk(&mut |path: &[ASTNode]| {
            self.note(index, path, &mut imports);
            true
        });
        for (path, position) in imports {
            self.follow(engine, sources, index, &path, position, findings, loading);
        }
        loading.pop();
        self.resolve_top_level(index);
        index
    }

    /// What is of interest in one node, wherever it stands.
    fn note(&mut self, file: usize, path: &[ASTNode], imports: &mut Vec<(String, Position)>) {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Import(import, _))) => {
                self.aliases.insert(import.1.name.to_string());
                if let Expr::StringConstant(path, position) = &import.0 {
                    imports.push((path.to_string(), *position));
                }
            }
            Some(ASTNode::Expr(Expr::Map(map, _))) => {
                self.keys.extend(map.0.iter().map(|(key, _)| key.name.to_string()));
            }
            Some(ASTNode::Expr(Expr::StringConstant(text, _))) => {
                self.keys.insert(text.to_string());
            }
            Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => self.note_property(&assignment.1.lhs),
            Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) => {
                if call.name == "eval" {
                    self.files[file].has_eval = true;
                }
                if let ("is_def_fn" | "is_def_var", [Expr::StringConstant(name, _), ..]) =
                    (&*call.name, &*call.args)
                {
                    self.guarded.insert(name.to_string());
                }
                if let ([module], [Expr::StringConstant(name, _), ..]) = (&*call.namespace.path, &*call.args)
                    && matches!(&*module.name, "env" | "secret")
                {
                    self.env_names.insert(name.to_string());
                }
                if call.capture_parent_scope {
                    self.open_functions.insert(call.name.to_string());
                }
            }
            _ => {}
        }
    }

    /// The property that is written to may be called as a method later.
    fn note_property(&mut self, written: &Expr) {
        match written {
            Expr::Dot(chain, ..) | Expr::Index(chain, ..) => {
                self.note_property(&chain.lhs);
                self.note_property(&chain.rhs);
            }
            Expr::Property(property, _) => {
                self.keys.insert(property.2.to_string());
            }
            Expr::Variable(variable, ..) => {
                self.assigned.insert(variable.1.to_string());
            }
            _ => {}
        }
    }

    #[allow(clippy::too_many_arguments, reason = "what it takes to read one more file")]
    fn follow(
        &mut self,
        engine: &Engine,
        sources: &Sources,
        from: usize,
        path: &str,
        position: Position,
        findings: &mut Problems,
        loading: &mut Vec<usize>,
    ) {
        let file_name = self.files[from].name.clone();
        let length = path.chars().count() + 2;
        let found = match sources.import(&file_name, path) {
            Err(message) => {
                findings.add_text(&file_name, (position, length), "import", &message);
                None
            }
            Ok((name, text)) => match self.files.iter().position(|file| file.name == name) {
                Some(known) => {
                    if let Some(start) = loading.iter().position(|index| *index == known) {
                        let circle = loading[start..].iter().map(|index| self.files[*index].name.as_str());
                        let circle: Vec<&str> = circle.chain([name.as_str()]).collect();
                        let message = match known {
                            0 => format!("{name} imports itself, by way of {file_name}"),
                            _ => format!("circular import: {}", circle.join(" → ")),
                        };
                        findings.add(&file_name, (position, length), "import-circle", message, None);
                    }
                    Some(known)
                }
                None => Some(self.add(engine, sources, &name, &text, findings, loading)),
            },
        };
        self.files[from].paths.insert(path.to_owned(), found);
    }

    /// The names that the imports of the top level have.
    fn resolve_top_level(&mut self, file: usize) {
        let file = &mut self.files[file];
        for statement in &file.statements {
            if let Stmt::Import(import, _) = statement
                && !import.1.name.is_empty()
            {
                let found = match &import.0 {
                    Expr::StringConstant(path, _) => file.paths.get(path.as_str()).copied().flatten(),
                    _ => None,
                };
                file.imports.insert(import.1.name.to_string(), found);
            }
        }
        for name in &file.unread.imports {
            file.imports.entry(name.clone()).or_insert(None);
        }
    }
}

impl File {
    fn new(engine: &Engine, name: &str, ast: &AST, unread: Unread) -> File {
        let bodies = Bodies::of(engine, ast);
        let mut file = File {
            name: name.to_owned(),
            statements: ast.statements().to_vec(),
            functions: Vec::new(),
            closures: HashMap::new(),
            with_this: Closures::default(),
            variables: unread.variables.iter().cloned().collect(),
            exports: BTreeSet::new(),
            imports: BTreeMap::new(),
            paths: BTreeMap::new(),
            unread,
            has_eval: false,
        };
        for definition in ast.iter_fn_def() {
            let function = Function {
                name: definition.name.to_string(),
                params: definition.params.iter().cloned().collect(),
                is_private: definition.access == FnAccess::Private,
                position: definition.body.start_position(),
                body: bodies.get(&definition.name, definition.params.len()),
            };
            if rhai::is_valid_identifier(&function.name) {
                file.functions.push(function);
            } else {
                file.closures.insert(function.name.clone(), function);
            }
        }
        let all = file.functions.iter().chain(file.closures.values());
        file.with_this = Closures::of_bodies(
            all.map(|function| (function.name.as_str(), function.params.len(), function.body.as_slice())),
        );
        for statement in &file.statements {
            match statement {
                Stmt::Var(variable, flags, _) => {
                    file.variables.insert(variable.0.name.to_string());
                    if flags.contains(ASTFlags::EXPORTED) {
                        file.exports.insert(variable.0.name.to_string());
                    }
                }
                Stmt::Export(export, _) => {
                    let (name, alias) = (&export.0.name, &export.1.name);
                    file.exports.insert(if alias.is_empty() { name } else { alias }.to_string());
                }
                _ => {}
            }
        }
        file
    }

    /// Whether a function of this name stands here, or may; `count` is how many parameters it has to have.
    pub(super) fn has_function(&self, name: &str, count: Option<usize>) -> bool {
        self.unread.functions.iter().any(|function| function == name)
            || self.functions_named(name).any(|function| count.is_none_or(|c| c == function.params.len()))
    }

    /// All functions of this name.
    pub(super) fn functions_named(&self, name: &str) -> impl Iterator<Item = &Function> {
        self.functions.iter().filter(move |function| function.name == name)
    }
}
