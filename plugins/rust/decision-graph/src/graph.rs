//! A graph: what of it the engine would quietly pass over, and running it.

use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::collections::HashSet;
use std::sync::Arc;

use assize_sdk::Failure;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use zen_engine::model::{DecisionNodeKind, DecisionTableContent, GraphContent};
use zen_engine::{Decision, EvaluationError, Variable};
use zen_expression::Isolate;

/// More than anyone draws. The engine ends a walk of more than 1,000 turns early, without a word.
const MOST_NODES: usize = 500;

/// A decision graph with its expressions compiled.
#[derive(Debug)]
pub(crate) struct Graph {
    content: GraphContent,
    /// Schemas of input and output nodes that aren't JSON objects: the engine would take them for none.
    bad_schema: Option<String>,
}

impl<'de> Deserialize<'de> for Graph {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Value::deserialize(deserializer)?;
        let bad_schema = bad_schema(&given);
        let mut content =
            GraphContent::deserialize(given).map_err(|error| D::Error::custom(format!("graph: {error}")))?;
        content.compile();
        Ok(Self { content, bad_schema })
    }
}

impl Graph {
    /// Refuses what the engine would not run, or run as if it weren't there.
    pub(crate) fn check(&self) -> Result<(), String> {
        let GraphContent { nodes, edges, imports, .. } = &self.content;
        if nodes.len() > MOST_NODES {
            return Err(format!("graph: {} nodes; {MOST_NODES} are the most", nodes.len()));
        }
        if let Some(import) = imports.first() {
            return Err(format!(
                "graph: imports `{import}`; there is nothing to import from, so write it into the graph"
            ));
        }
        if let Some(bad) = &self.bad_schema {
            return Err(bad.clone());
        }
        let mut ids = HashSet::new();
        for node in nodes {
            let shown = format!("graph: node `{}` ({})", node.name, node.id);
            if !ids.insert(&node.id) {
                return Err(format!("{shown}: another node has the same id"));
            }
            self.check_node(&node.kind).map_err(|why| format!("{shown}: {why}"))?;
        }
        let missing = edges.iter().flat_map(|edge| [&edge.source_id, &edge.target_id]).find(|end| !ids.contains(end));
        if let Some(id) = missing {
            return Err(format!("graph: an edge leads to or from `{id}`, and no node has that id"));
        }
        self.decision().validate().map_err(|error| format!("graph: {error}"))
    }

    fn check_node(&self, kind: &DecisionNodeKind) -> Result<(), String> {
        match kind {
            DecisionNodeKind::DecisionNode { content } => Err(format!(
                "asks for another graph, `{}`; graphs within graphs aren't supported, so write its nodes into this one",
                content.key
            )),
            DecisionNodeKind::CustomNode { content } => {
                Err(format!("is of the custom kind `{}`, which isn't supported", content.kind))
            }
            DecisionNodeKind::DecisionTableNode { content } => {
                transformed(content.transform_attributes.input_field.as_deref())?;
                self.check_table(content)
            }
            DecisionNodeKind::ExpressionNode { content } => {
                transformed(content.transform_attributes.input_field.as_deref())?;
                for expression in content.expressions.iter().filter(|e| !e.key.is_empty() && !e.value.is_empty()) {
                    if !self.compiled(&expression.value) {
                        standard(&expression.value).map_err(|why| format!("`{}`: {why}", expression.key))?;
                    }
                }
                Ok(())
            }
            DecisionNodeKind::SwitchNode { content } => content
                .statements
                .iter()
                .filter(|statement| !statement.condition.is_empty())
                .try_for_each(|statement| standard(&statement.condition)),
            DecisionNodeKind::InputNode { .. }
            | DecisionNodeKind::OutputNode { .. }
            | DecisionNodeKind::FunctionNode { .. } => Ok(()),
        }
    }

    /// A cell that doesn't parse would be one that doesn't match, and the rows after it would decide.
    fn check_table(&self, table: &DecisionTableContent) -> Result<(), String> {
        for field in table.inputs.iter().filter_map(|input| input.field.as_deref()) {
            standard(field)?;
        }
        let cell = |row: usize, name: &str, why: String| format!("row {}, column `{name}`: {why}", row + 1);
        for (row, rule) in table.rules.iter().enumerate() {
            for input in table.inputs.iter() {
                let Some(text) = rule.get(&input.id).filter(|text| !text.is_empty()) else { continue };
                let parsed = match input.field {
                    Some(_) if self.compiled_unary(text) => Ok(()),
                    Some(_) => unary(text),
                    None if self.compiled(text) => Ok(()),
                    None => standard(text),
                };
                parsed.map_err(|why| cell(row, &input.name, why))?;
            }
            for output in table.outputs.iter() {
                let Some(text) = rule.get(&output.id).filter(|text| !text.is_empty()) else { continue };
                if !self.compiled(text) {
                    standard(text).map_err(|why| cell(row, &output.name, why))?;
                }
            }
        }
        Ok(())
    }

    fn compiled(&self, source: &str) -> bool {
        self.content.compiled_cache.as_ref().is_some_and(|cache| cache.standard.contains_key(source))
    }

    fn compiled_unary(&self, source: &str) -> bool {
        self.content.compiled_cache.as_ref().is_some_and(|cache| cache.unary.contains_key(source))
    }

    fn decision(&self) -> Decision {
        Decision::from(Arc::new(self.content.clone()))
    }

    /// What the graph says of `input`.
    pub(crate) fn run(&self, input: &Value) -> Result<Value, Failure> {
        let input = Variable::try_from_value(input.clone()).map_err(|error| Failure::InvalidCase(error.to_string()))?;
        let decision = self.decision();
        let running = pin!(decision.evaluate(input));
        // Nothing in it waits for anything but itself: there is nobody to wake it.
        let Poll::Ready(result) = running.poll(&mut Context::from_waker(Waker::noop())) else {
            return Err(Failure::Internal("the graph waits for something outside, which there isn't".to_owned()));
        };
        match result {
            Ok(response) => Ok(response.result.to_value()),
            Err(error) => Err(Failure::Internal(self.told(&error))),
        }
    }

    /// What went wrong, and in which node.
    fn told(&self, error: &EvaluationError) -> String {
        let EvaluationError::NodeError { node_id, source, .. } = error else {
            return format!("the graph failed: {error}");
        };
        let name = self.content.nodes.iter().find(|node| node.id == *node_id).map_or("", |node| &node.name);
        format!("the graph failed in node `{name}` ({node_id}): {}", crate::outcome::short(&source.to_string()))
    }
}

fn transformed(input_field: Option<&str>) -> Result<(), String> {
    input_field.map_or(Ok(()), standard)
}

fn standard(source: &str) -> Result<(), String> {
    Isolate::new().compile_standard(source).map(drop).map_err(|error| format!("`{source}` can't be read: {error}"))
}

fn unary(source: &str) -> Result<(), String> {
    Isolate::new().compile_unary(source).map(drop).map_err(|error| format!("`{source}` can't be read: {error}"))
}

/// The first schema that isn't one, as a complaint.
fn bad_schema(graph: &Value) -> Option<String> {
    graph.get("nodes")?.as_array()?.iter().find_map(|node| {
        let schema = node.pointer("/content/schema")?;
        let text = match schema {
            Value::Null => return None,
            Value::String(text) if text.trim().is_empty() => return None,
            Value::String(text) => text,
            _ => return Some(format!("graph: node {}: `schema` must be a text that holds JSON", node.get("id")?)),
        };
        let parsed = serde_json::from_str::<Value>(text);
        let good = parsed.is_ok_and(|schema| schema.is_object() || schema.is_boolean());
        (!good).then(|| format!("graph: node {}: `schema` isn't a JSON Schema", node.get("id").unwrap_or(&Value::Null)))
    })
}
