//! What is in a binary: one pass over its sections, without validating or compiling anything.
//!
//! Nothing here trusts the binary: an index that leads nowhere weighs nothing, since the validator refuses it later.

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind, Encoding, FunctionBody,
    Instance, Operator, Parser, Payload,
};

use crate::bounds;
use crate::inspect::InspectError;
use crate::pack::MANIFEST_SECTION;

/// What the outermost component names, and the figures that bounds apply to.
#[derive(Debug, Default)]
pub(crate) struct Survey<'a> {
    pub(crate) imports: Vec<(&'a str, ComponentExternalKind)>,
    pub(crate) exports: Vec<(&'a str, ComponentExternalKind)>,
    pub(crate) manifests: Vec<&'a [u8]>,
    pub(crate) modules: u64,
    pub(crate) components: u64,
    pub(crate) functions: u64,
    /// What one start of the outermost component makes.
    pub(crate) start: Weight,
    adapters: u64,
    frames: Vec<Frame>,
}

/// What one instance of a module or component comes to, with all that it instantiates in turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    /// Instances of core modules and of components, itself included.
    pub(crate) instances: u64,
    /// Bytes that all memories have at the start.
    pub(crate) memory_bytes: u64,
}

impl Weight {
    fn add(&mut self, other: Self) {
        self.instances = self.instances.saturating_add(other.instances);
        self.memory_bytes = self.memory_bytes.saturating_add(other.memory_bytes);
    }
}

/// A module or component that the pass is inside of. A component's index spaces hold the weights of what was defined
/// so far; since nothing can refer to what follows it, a weight is final when it's looked up.
#[derive(Debug)]
struct Frame {
    encoding: Encoding,
    weight: Weight,
    modules: Vec<Weight>,
    components: Vec<Weight>,
}

impl From<wasmparser::BinaryReaderError> for InspectError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Malformed(error.to_string())
    }
}

fn bounded(what: &'static str, found: u64, limit: u64) -> Result<(), InspectError> {
    if found > limit { Err(InspectError::Bound { what, found, limit }) } else { Ok(()) }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// How many loops stand in each other at most, times how many variables there are. Where even a loop in every three bytes
/// couldn't come to too many, 0: so nearly no function is read for this.
fn looped_variables(body: &FunctionBody<'_>) -> Result<u64, InspectError> {
    let mut variables = 0_u64;
    for declared in body.get_locals_reader()? {
        variables = variables.saturating_add(u64::from(declared?.0));
    }
    if (count(body.as_bytes().len()) / 3).saturating_mul(variables) <= bounds::MOST_LOOPED_VARIABLES {
        return Ok(0);
    }
    let (mut around, mut loops, mut deepest) = (Vec::new(), 0_u64, 0_u64);
    for operator in body.get_operators_reader()? {
        match operator? {
            Operator::Loop { .. } => {
                around.push(1);
                loops += 1;
                deepest = deepest.max(loops);
            }
            Operator::Block { .. } | Operator::If { .. } | Operator::TryTable { .. } => around.push(0),
            Operator::End => loops -= around.pop().unwrap_or_default(),
            _ => {}
        }
    }
    Ok(deepest.saturating_mul(variables))
}

impl<'a> Survey<'a> {
    /// Surveys a component and refuses what exceeds the bounds.
    pub(crate) fn of(component: &'a [u8]) -> Result<Self, InspectError> {
        let mut survey = Self::default();
        for payload in Parser::new(0).parse_all(component) {
            survey.payload(&payload?)?;
        }
        bounded("instances", survey.start.instances, bounds::MOST_INSTANCES)?;
        Ok(survey)
    }

    fn payload(&mut self, payload: &Payload<'a>) -> Result<(), InspectError> {
        match payload {
            Payload::Version { encoding, .. } => self.enter(*encoding)?,
            Payload::End(_) => self.leave(),
            Payload::CustomSection(section) if self.frames.len() == 1 && section.name() == MANIFEST_SECTION => {
                self.manifests.push(section.data());
            }
            Payload::MemorySection(memories) => {
                for memory in memories.clone() {
                    let memory = memory?;
                    let page_size = 1_u64.checked_shl(memory.page_size_log2.unwrap_or(16)).unwrap_or(u64::MAX);
                    let memory_bytes = memory.initial.saturating_mul(page_size);
                    self.add(Weight { instances: 0, memory_bytes });
                }
            }
            Payload::FunctionSection(functions) => {
                self.functions += u64::from(functions.count());
                bounded("functions", self.functions, bounds::MOST_FUNCTIONS)?;
            }
            Payload::CodeSectionEntry(body) => {
                bounded("bytes in one function", count(body.as_bytes().len()), bounds::LARGEST_FUNCTION)?;
                let looped = looped_variables(body)?;
                bounded("nested loops times variables in one function", looped, bounds::MOST_LOOPED_VARIABLES)?;
            }
            Payload::InstanceSection(instances) => {
                for instance in instances.clone() {
                    if let Instance::Instantiate { module_index, .. } = instance? {
                        self.add(self.look_up(0, module_index, |frame| &frame.modules));
                    }
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances.clone() {
                    if let ComponentInstance::Instantiate { component_index, .. } = instance? {
                        self.add(self.look_up(0, component_index, |frame| &frame.components));
                    }
                }
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases.clone() {
                    self.alias(&alias?)?;
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                self.adapters += u64::from(functions.count());
                bounded("adapters", self.adapters, bounds::MOST_ADAPTERS)?;
            }
            Payload::ComponentImportSection(imports) => {
                for import in imports.clone() {
                    let import = import?;
                    self.import(import.name.name, import.ty.kind())?;
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports.clone() {
                    let export = export?;
                    self.export(export.name.name, export.kind, export.index)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn enter(&mut self, encoding: Encoding) -> Result<(), InspectError> {
        // The outermost component is neither inside another nor part of one.
        if !self.frames.is_empty() {
            let (what, number) = match encoding {
                Encoding::Module => ("core modules", &mut self.modules),
                Encoding::Component => ("components", &mut self.components),
            };
            *number += 1;
            bounded(what, *number, bounds::MOST_PARTS)?;
        }
        bounded("levels of nesting", count(self.frames.len()), bounds::DEEPEST_NESTING)?;
        let weight = Weight { instances: 1, memory_bytes: 0 };
        self.frames.push(Frame { encoding, weight, modules: Vec::new(), components: Vec::new() });
        Ok(())
    }

    fn leave(&mut self) {
        let Some(left) = self.frames.pop() else { return };
        match (self.frames.last_mut(), left.encoding) {
            (None, _) => self.start = left.weight,
            (Some(around), Encoding::Module) => around.modules.push(left.weight),
            (Some(around), Encoding::Component) => around.components.push(left.weight),
        }
    }

    fn add(&mut self, weight: Weight) {
        if let Some(frame) = self.frames.last_mut() {
            frame.weight.add(weight);
        }
    }

    /// The weight at `index` of an index space, `outward` components further out.
    fn look_up(&self, outward: u32, index: u32, space: impl Fn(&Frame) -> &Vec<Weight>) -> Weight {
        let (outward, index) = (usize::try_from(outward).ok(), usize::try_from(index).ok());
        let frame = outward.and_then(|outward| self.frames.iter().rev().nth(outward));
        frame.zip(index).and_then(|(frame, index)| space(frame).get(index).copied()).unwrap_or_default()
    }

    fn alias(&mut self, alias: &ComponentAlias<'a>) -> Result<(), InspectError> {
        match *alias {
            ComponentAlias::Outer { kind: ComponentOuterAliasKind::CoreModule, count, index } => {
                let weight = self.look_up(count, index, |frame| &frame.modules);
                self.define(ComponentExternalKind::Module, weight);
            }
            ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
                let weight = self.look_up(count, index, |frame| &frame.components);
                self.define(ComponentExternalKind::Component, weight);
            }
            ComponentAlias::InstanceExport { kind, name, .. } => Self::weighable(kind, name)?,
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, name: &'a str, kind: ComponentExternalKind) -> Result<(), InspectError> {
        if self.frames.len() > 1 {
            return Self::weighable(kind, name);
        }
        self.imports.push((name, kind));
        bounded("imports", count(self.imports.len()), bounds::MOST_IMPORTS)
    }

    fn export(&mut self, name: &'a str, kind: ComponentExternalKind, index: u32) -> Result<(), InspectError> {
        // An export defines what it exports once more, under the next index.
        match kind {
            ComponentExternalKind::Module => self.define(kind, self.look_up(0, index, |frame| &frame.modules)),
            ComponentExternalKind::Component => self.define(kind, self.look_up(0, index, |frame| &frame.components)),
            _ => {}
        }
        if self.frames.len() > 1 {
            return Ok(());
        }
        self.exports.push((name, kind));
        bounded("exports", count(self.exports.len()), bounds::MOST_EXPORTS)
    }

    fn define(&mut self, kind: ComponentExternalKind, weight: Weight) {
        let Some(frame) = self.frames.last_mut() else { return };
        match kind {
            ComponentExternalKind::Module => frame.modules.push(weight),
            ComponentExternalKind::Component => frame.components.push(weight),
            _ => {}
        }
    }

    /// A module or component handed over as a value could be anything; no tool for plugins makes one.
    fn weighable(kind: ComponentExternalKind, name: &str) -> Result<(), InspectError> {
        match kind {
            ComponentExternalKind::Module | ComponentExternalKind::Component => {
                Err(InspectError::HigherOrder { name: name.to_owned() })
            }
            _ => Ok(()),
        }
    }
}
