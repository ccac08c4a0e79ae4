//! The tree of categories beside a page, and as choices in a form.

use askama::Template;
use askama::filters::HtmlSafe;
use upshelf_catalog::{CategoryNode, CategoryTree};

/// Trees of up to so many categories are shown unfolded.
const SMALL: usize = 40;

/// The categories, unfolded around the one that is looked at.
#[derive(Default, Template)]
#[template(path = "parts/tree.html")]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

impl HtmlSafe for Tree {}

/// One category of the tree.
#[derive(Template)]
#[template(path = "parts/node.html")]
struct Node {
    slug: String,
    title: String,
    resources: i64,
    is_current: bool,
    children: Vec<Node>,
}

impl HtmlSafe for Node {}

impl Tree {
    /// Draws the tree; `current` is the word of the category that is looked at.
    pub(crate) fn new(tree: &CategoryTree, current: Option<&str>) -> Tree {
        let is_small = count(tree) <= SMALL;
        let nodes = tree.iter().map(|node| draw(node, current, is_small).0).collect();
        Tree { nodes }
    }

    /// Whether there is nothing to draw.
    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

fn count(nodes: &[CategoryNode]) -> usize {
    nodes.iter().map(|node| 1 + count(&node.children)).sum()
}

/// Gives the node, and whether the current one is it or lies below it.
fn draw(node: &CategoryNode, current: Option<&str>, all: bool) -> (Node, bool) {
    let is_current = current == Some(node.slug.as_str());
    let drawn: Vec<(Node, bool)> = node.children.iter().map(|child| draw(child, current, all)).collect();
    let is_within = is_current || drawn.iter().any(|(_, is_within)| *is_within);
    let children = match is_within || all {
        true => drawn.into_iter().map(|(child, _)| child).collect(),
        false => Vec::new(),
    };
    let node = Node {
        slug: node.slug.clone(),
        title: node.title.clone(),
        resources: node.resources,
        is_current,
        children,
    };
    (node, is_within)
}

/// A category as a choice: its id, and its title set in by its depth.
pub(crate) struct Choice {
    pub(crate) id: String,
    pub(crate) label: String,
}

/// Lists every category as a choice, in the order of the tree.
pub(crate) fn choices(tree: &CategoryTree) -> Vec<Choice> {
    fn add(nodes: &[CategoryNode], depth: usize, into: &mut Vec<Choice>) {
        for node in nodes {
            let label = format!("{}{}", "\u{2003}".repeat(depth), node.title);
            into.push(Choice { id: node.id.to_string(), label });
            add(&node.children, depth + 1, into);
        }
    }
    let mut all = Vec::new();
    add(tree, 0, &mut all);
    all
}
