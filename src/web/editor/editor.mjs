// The script editor of the live page: CodeMirror with what Rhai needs. Bundled into editor.js by ./build.
import { EditorState } from "@codemirror/state";
import { EditorView, keymap, lineNumbers, drawSelection, highlightActiveLine, highlightActiveLineGutter } from "@codemirror/view";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { StreamLanguage, HighlightStyle, syntaxHighlighting, bracketMatching, indentOnInput, indentUnit } from "@codemirror/language";
import { linter, lintGutter } from "@codemirror/lint";
import { searchKeymap, highlightSelectionMatches } from "@codemirror/search";
import { tags } from "@lezer/highlight";

const KEYWORDS = new Set(("let const if else switch do while loop until for in continue break return throw try catch import export as fn private "
  + "true false this global").split(" "));

const rhai = StreamLanguage.define({
  name: "rhai",
  startState: () => ({ inside: "" }),
  languageData: { commentTokens: { line: "//", block: { open: "/*", close: "*/" } }, closeBrackets: { brackets: ["(", "[", "{", '"', "`"] } },
  indent: (state, after, context) => {
    const before = context.lineAt(context.pos, -1);
    const line = before.text;
    const unit = context.unit;
    const indent = /^\s*/.exec(line)[0].length;
    return indent + (/[{([]\s*$/.test(line) ? unit : 0) - (/^\s*[})\]]/.test(after) ? unit : 0);
  },
  token(stream, state) {
    if (state.inside === "comment") {
      state.inside = stream.skipTo("*/") ? (stream.match("*/"), "") : (stream.skipToEnd(), "comment");
      return "comment";
    }
    if (state.inside === "`") {
      while (!stream.eol()) if (stream.next() === "`") { state.inside = ""; break; }
      return "string";
    }
    if (stream.eatSpace()) return null;
    if (stream.match("//")) { stream.skipToEnd(); return "comment"; }
    if (stream.match("/*")) { state.inside = "comment"; return "comment"; }
    if (stream.match("`")) { state.inside = "`"; return "string"; }
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/) || stream.match(/^'(?:[^'\\]|\\.)*'?/)) return "string";
    if (stream.match(/^0x[\da-f_]+|^0b[01_]+|^\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?/i)) return "number";
    const word = stream.match(/^[a-z_]\w*/i);
    if (word) {
      if (KEYWORDS.has(word[0])) return "keyword";
      if (stream.match("::", false)) return "namespace";
      return stream.match(/^\s*\(/, false) ? "function" : "variableName";
    }
    stream.next();
    return null;
  },
  tokenTable: { function: tags.function(tags.variableName), namespace: tags.namespace },
});

const colours = HighlightStyle.define([
  { tag: tags.comment, color: "var(--quiet)", fontStyle: "italic" },
  { tag: tags.string, color: "var(--good)" },
  { tag: tags.number, color: "var(--c-p95)" },
  { tag: tags.keyword, color: "var(--c-p99)", fontWeight: "600" },
  { tag: tags.namespace, color: "var(--c-p50)" },
  { tag: tags.function(tags.variableName), color: "var(--c-p50)" },
]);

const theme = EditorView.theme({
  "&": { color: "var(--fg)", backgroundColor: "var(--bg)", fontSize: "14px", border: "1px solid var(--quiet)", borderRadius: "4px", maxHeight: "70vh" },
  "&.cm-focused": { outline: "3px solid var(--c-p50)" },
  ".cm-scroller": { fontFamily: "ui-monospace, monospace", overflow: "auto" },
  ".cm-gutters": { color: "var(--quiet)", backgroundColor: "var(--soft)", border: "0" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--soft)" },
  ".cm-content": { caretColor: "var(--fg)" },
  ".cm-cursor": { borderLeftColor: "var(--fg)" },
  ".cm-tooltip": { color: "var(--fg)", backgroundColor: "var(--bg)", border: "1px solid var(--quiet)", whiteSpace: "pre-wrap", maxWidth: "40em" },
});

/// Makes an editor in `parent`. `check(text)` gives problems as {line, column, severity, message}, `word(name)` hears what the cursor
/// is on, `save()` is what Ctrl-S does, `changed()` hears of every change.
globalThis.rhaidEditor = (parent, { check, word, save, changed }) => {
  // In a shadow tree its styles are style sheets, which the page's policy allows.
  const root = parent.attachShadow({ mode: "open" });
  const place = (line, column, doc) => {
    const at = doc.line(Math.min(Math.max(line || 1, 1), doc.lines));
    return Math.min(at.from + Math.max((column || 1) - 1, 0), at.to);
  };
  const problems = async (view) => {
    const { doc } = view.state;
    return (await check(doc.toString())).map(({ line, column, severity, message }) => {
      const from = place(line, column, doc);
      const name = /^\w+/.exec(doc.sliceString(from, from + 60));
      return { from, to: Math.min(doc.length, from + Math.max(name?.[0].length ?? 1, 1)), severity, message };
    });
  };
  const wordAt = (state) => {
    const { head } = state.selection.main;
    const line = state.doc.lineAt(head);
    const before = /[\w:]*$/.exec(line.text.slice(0, head - line.from))[0];
    const after = /^\w*/.exec(line.text.slice(head - line.from))[0];
    return (before + after).replace(/^:+|:+$/g, "");
  };
  let last = "";
  const extensions = [
    lineNumbers(), highlightActiveLineGutter(), history(), drawSelection(), indentOnInput(), bracketMatching(), highlightActiveLine(),
    highlightSelectionMatches(), indentUnit.of("    "), rhai, syntaxHighlighting(colours), theme, lintGutter(), linter(problems, { delay: 400 }),
    EditorView.contentAttributes.of({ "aria-label": "Script" }),
    keymap.of([{ key: "Mod-s", preventDefault: true, run: () => { save(); return true; } }, ...defaultKeymap, ...historyKeymap, ...searchKeymap, indentWithTab]),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) changed();
      if (!update.docChanged && !update.selectionSet) return;
      const now = wordAt(update.state);
      if (now !== last) word(last = now);
    }),
  ];
  const view = new EditorView({ parent: root, root, state: EditorState.create({ doc: "", extensions }) });
  // It scrolls, so the keyboard reaches it.
  view.scrollDOM.tabIndex = 0;
  return {
    get text() { return view.state.doc.toString(); },
    set text(doc) { view.setState(EditorState.create({ doc, extensions })); },
    focus: () => view.focus(),
  };
};
