//! Who sent it: resource and instrumentation scope.

use super::record::{attributes, lists, merged, record, scalars};
use crate::schema::numbers::{entity_ref, resource, scope};

merged! {
    /// What the telemetry is about (`resource.v1.Resource`).
    Resource
}

attributes! {
    Resource {
        /// The attributes, such as `service.name`.
        attributes = resource::ATTRIBUTES,
    }
}

scalars! {
    Resource {
        /// How many attributes were dropped.
        dropped_attributes_count: u32 = resource::DROPPED_ATTRIBUTES,
    }
}

lists! {
    Resource {
        /// The entities that the resource stands for.
        entity_refs: EntityRef<'a> = resource::ENTITY_REFS,
    }
}

record! {
    /// An entity by the names of its attributes (`common.v1.EntityRef`).
    EntityRef
}

scalars! {
    EntityRef {
        /// Schema of the entity type.
        schema_url: &'a str = entity_ref::SCHEMA_URL,
        /// Type of the entity, such as `service` or `host`.
        #[doc(alias = "type")]
        entity_type: &'a str = entity_ref::TYPE,
    }
}

lists! {
    EntityRef {
        /// Keys of the resource's attributes that identify the entity.
        id_keys: &'a str = entity_ref::ID_KEYS,
        /// Keys of the resource's attributes that describe it.
        description_keys: &'a str = entity_ref::DESCRIPTION_KEYS,
    }
}

merged! {
    /// What made the telemetry (`common.v1.InstrumentationScope`).
    #[doc(alias = "InstrumentationScope")]
    Scope
}

scalars! {
    Scope {
        /// Name of the instrumentation library.
        name: &'a str = scope::NAME,
        /// Its version.
        version: &'a str = scope::VERSION,
        /// How many attributes were dropped.
        dropped_attributes_count: u32 = scope::DROPPED_ATTRIBUTES,
    }
}

attributes! {
    Scope {
        /// The attributes of the scope.
        attributes = scope::ATTRIBUTES,
    }
}
