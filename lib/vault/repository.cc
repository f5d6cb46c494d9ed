#include "vault/repository.h"

#include "base/error.h"
#include "base/format.h"
#include "vault/layout.h"

#include <algorithm>

namespace walden::vault {

namespace {

std::optional<Bytes> get_object(ObjectStorage& storage, const std::string& key) {
    Bytes bytes;
    if (!storage.get(key, bytes)) return std::nullopt;
    return bytes;
}

std::string quoted(const ObjectStorage& storage) {
    return "\"" + storage.describe() + "\"";
}

void require_expected(const ObjectStorage& storage, const Descriptor& descriptor,
                      const Repository::Expectation& expectation) {
    if (expectation.id && *expectation.id != descriptor.id)
        throw Error(ErrorKind::foreign,
                    format("{} is repository {}, the configuration names {}", quoted(storage),
                           to_hex(descriptor.id), to_hex(*expectation.id)))
            .with_hint("Another store may be mounted there.");
    const bool encrypted = descriptor.suite != crypto::Suite::none;
    if (encrypted == expectation.encryption) return;
    if (encrypted)
        throw Error(ErrorKind::usage, "repository is encrypted, the configuration has it disabled")
            .with_hint("Remove \"enabled = false\" from [encryption] and name the key.");
    throw Error(ErrorKind::usage, "repository is not encrypted, the configuration wants encryption")
        .with_hint("Set \"enabled = false\" in [encryption], or use another store.");
}

/// One slot's generations as the store has them, oldest first; empty if there is no such slot.
std::vector<Bytes> get_generations(ObjectStorage& storage, const crypto::SlotId& id) {
    std::vector<Bytes> generations;
    for (std::uint32_t generation = 1;; ++generation) {
        auto bytes = get_object(storage, key_slot_key(id, generation));
        if (!bytes) return generations;
        generations.push_back(std::move(*bytes));
    }
}

struct OpenedSlot {
    crypto::SlotHeader header;  ///< of the newest generation
    std::vector<crypto::KeyBundle> bundles;
};

std::optional<OpenedSlot> try_slot(ObjectStorage& storage, const crypto::UnlockSecret& secret,
                                   const crypto::SlotId& id) {
    const std::vector<Bytes> generations = get_generations(storage, id);
    if (generations.empty()) return std::nullopt;
    return in_context([&] { return format("open key slot {}", to_hex(id)); },
                      [&]() -> std::optional<OpenedSlot> {
                          auto bundles = crypto::open_slot_chain(secret, generations);
                          if (!bundles) return std::nullopt;
                          return OpenedSlot{.header = crypto::read_slot_header(generations.back()),
                                            .bundles = std::move(*bundles)};
                      });
}

/// The ids of slots that a passphrase may open, those of `repository` first: the others are what a
/// creation that was interrupted left, or the trace of a store that was replaced.
std::vector<crypto::SlotId> passphrase_slots(ObjectStorage& storage,
                                             const crypto::RepositoryId& repository,
                                             std::optional<Error>& damage) {
    std::vector<crypto::SlotId> ours;
    std::vector<crypto::SlotId> others;
    storage.list(std::string(key_slot_prefix), "", [&](const ObjectInfo& object) {
        const auto name = parse_key_slot_key(object.key);
        if (!name || name->generation != 1) return true;
        const auto bytes = get_object(storage, object.key);
        if (!bytes) return true;  // removed meanwhile
        try {
            const crypto::SlotHeader header = crypto::read_slot_header(*bytes);
            if (header.source == crypto::SlotSource::passphrase)
                (header.repository == repository ? ours : others).push_back(name->id);
        } catch (Error& error) {
            error.prepend(format("read key slot \"{}\"", object.key));
            damage = error;
        }
        return true;
    });
    ours.insert(ours.end(), others.begin(), others.end());
    return ours;
}

/// Somebody else's damaged slot must not keep out the holder of a sound one: the damage is only
/// reported if nothing opens.
std::optional<OpenedSlot> find_slot(ObjectStorage& storage, const crypto::UnlockSecret& secret,
                                    const crypto::RepositoryId& repository) {
    if (secret.source() == crypto::SlotSource::random_key)
        return try_slot(storage, secret, secret.slot_id());
    std::optional<Error> damage;
    for (const crypto::SlotId& id : passphrase_slots(storage, repository, damage)) {
        try {
            if (auto opened = try_slot(storage, secret, id)) return opened;
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::corrupt && error.kind() != ErrorKind::usage) throw;
            damage = error;
        }
    }
    if (damage) throw Error(*damage);
    return std::nullopt;
}

void put_next_generation(ObjectStorage& storage, const crypto::SlotHeader& slot,
                         ByteView generation) {
    const std::string key = key_slot_key(slot.id, slot.generation + 1);
    if (storage.put_new(key, generation) == ObjectStorage::PutOutcome::already_present)
        throw Error(ErrorKind::conflict,
                    format("key slot \"{}\" exists already: another rotation is running", key));
}

/// The slots that do not have the newest bundle of `chain`, all of which have the one before. What
/// an older admin key endorses proves nothing: it was left to those whom a rotation shut out.
std::vector<SlotState> slots_behind(const std::vector<SlotState>& slots,
                                    const std::vector<crypto::KeyBundle>& chain) {
    const auto holds = [](const SlotState& slot, const crypto::KeyBundle& bundle) {
        return crypto::is_slot_endorsed(slot.newest, bundle.admin_public_key());
    };
    std::vector<SlotState> behind;
    for (const SlotState& slot : slots) {
        if (holds(slot, chain.back())) continue;
        if (chain.size() < 2 || !holds(slot, chain[chain.size() - 2]))
            throw Error(ErrorKind::denied,
                        format("slot {} (\"{}\") was not made by a holder of this key",
                               to_hex(slot.header.id), slot.header.label))
                .with_hint(
                    "Somebody who writes to the store planted it, or another key began a "
                    "rotation of its own. Remove the slot if nobody vouches for it.");
        behind.push_back(slot);
    }
    return behind;
}

[[noreturn]] void refuse_left_behind(const std::vector<SlotState>& behind) {
    std::string names;
    for (const SlotState& slot : behind)
        names += format("{}{} (\"{}\")", names.empty() ? "" : ", ", to_hex(slot.header.id),
                        slot.header.label);
    throw Error(ErrorKind::conflict, format("key slots are behind the newest epoch: {}", names))
        .with_detail(
            "Either a rotation was interrupted, or somebody whose key was removed before "
            "it has added a slot of his own.")
        .with_hint(
            "If you know each of them, run \"walden keys rotate --complete\". Remove the "
            "others first.");
}

/// Hands the newest bundle of `chain` to a slot that has the one before.
void move_to_newest(ObjectStorage& storage, const SlotState& slot,
                    const std::vector<crypto::KeyBundle>& chain) {
    put_next_generation(
        storage, slot.header,
        crypto::make_next_generation(slot.newest, chain[chain.size() - 2], chain.back()));
}

}  // namespace

std::optional<Descriptor> Repository::read_descriptor(ObjectStorage& storage) {
    const auto bytes = get_object(storage, std::string(descriptor_key));
    if (!bytes) return std::nullopt;
    return in_context([&] { return format("read \"{}\" of {}", descriptor_key, quoted(storage)); },
                      [&] { return decode_descriptor(*bytes); });
}

Repository Repository::open(ObjectStorage& storage, const Expectation& expectation,
                            const UnlockSource& unlock) {
    const auto descriptor = read_descriptor(storage);
    if (!descriptor)
        throw Error(ErrorKind::not_found, format("{} holds no walden repository", quoted(storage)))
            .with_hint("It may not be mounted. If it is new, run \"walden init\".");
    require_expected(storage, *descriptor, expectation);
    Repository repository(storage, *descriptor);
    if (descriptor->suite != crypto::Suite::none) repository.unlock(unlock());
    return repository;
}

void Repository::unlock(const crypto::UnlockSecret& secret) {
    auto opened = find_slot(*storage_, secret, descriptor_.id);
    if (!opened)
        throw Error(ErrorKind::usage, format("key does not open repository {} at {}",
                                             to_hex(descriptor_.id), quoted(*storage_)))
            .with_hint("Its key slot was removed, or the key is another repository's.");
    const crypto::RepositoryId& named = opened->bundles.back().repository();
    if (named != descriptor_.id)
        throw Error(ErrorKind::foreign,
                    format("{} says it is repository {}, its key slot is of {}", quoted(*storage_),
                           to_hex(descriptor_.id), to_hex(named)));
    slot_ = std::move(opened->header);
    bundles_ = std::move(opened->bundles);
    bundle_ = std::make_shared<const crypto::KeyBundle>(bundles_.back());
}

void Repository::require_empty(ObjectStorage& storage) {
    std::string found;
    storage.list("", "", [&](const ObjectInfo& object) {
        if (object.key.starts_with(key_slot_prefix) || object.key.starts_with(check_prefix))
            return true;
        found = object.key;
        return false;
    });
    if (found == descriptor_key)
        throw Error(ErrorKind::conflict, format("{} holds a repository already", quoted(storage)));
    if (!found.empty())
        throw Error(ErrorKind::conflict,
                    format("{} is not empty: it holds \"{}\"", quoted(storage), found))
            .with_hint("Use an empty directory or prefix.");
}

Descriptor Repository::create(ObjectStorage& storage, const Descriptor& descriptor,
                              const crypto::UnlockSecret* secret, const crypto::NewSlot& slot) {
    require_empty(storage);
    Descriptor made = descriptor;
    if (secret != nullptr) {
        // A creation that was interrupted here left the slot of a repository that was to be.
        const auto left = find_slot(storage, *secret, descriptor.id);
        if (left && left->bundles.back().kind() != crypto::BundleKind::read)
            throw Error(ErrorKind::conflict,
                        format("{} has a key slot that can archive but not read", quoted(storage)));
        if (left)
            made.id = left->bundles.back().repository();
        else
            static_cast<void>(add_slot(storage, *secret, crypto::KeyBundle::create(made.id), slot));
    }
    const std::string text = encode_descriptor(made);
    if (storage.put_new(std::string(descriptor_key), as_bytes(text)) ==
        ObjectStorage::PutOutcome::already_present)
        throw Error(ErrorKind::conflict,
                    format("somebody else made a repository in {} just now", quoted(storage)));
    return made;
}

ClusterKeyring Repository::keyring(const std::string& cluster) const {
    if (!bundle_) return ClusterKeyring(descriptor_.id);
    return ClusterKeyring(bundle_, cluster);
}

std::vector<SlotState> list_slots(ObjectStorage& storage) {
    std::vector<SlotState> slots;
    storage.list(std::string(key_slot_prefix), "", [&](const ObjectInfo& object) {
        const auto name = parse_key_slot_key(object.key);
        if (!name) return true;  // not ours to judge; `walden verify` reports it
        const auto bytes = get_object(storage, object.key);
        if (!bytes) return true;  // removed meanwhile
        const auto header = in_context([&] { return format("read key slot \"{}\"", object.key); },
                                       [&] { return crypto::read_slot_header(*bytes); });
        const auto same = std::find_if(slots.begin(), slots.end(), [&](const SlotState& slot) {
            return slot.header.id == header.id;
        });
        SlotState& slot = same == slots.end() ? slots.emplace_back() : *same;
        if (slot.keys.empty() || header.generation > slot.header.generation) {
            slot.header = header;
            slot.newest = *bytes;
        }
        slot.keys.push_back(object.key);
        return true;
    });
    std::sort(slots.begin(), slots.end(), [](const SlotState& a, const SlotState& b) {
        return std::pair(a.header.created, a.header.id) < std::pair(b.header.created, b.header.id);
    });
    return slots;
}

crypto::SlotHeader add_slot(ObjectStorage& storage, const crypto::UnlockSecret& secret,
                            const crypto::KeyBundle& admin, const crypto::NewSlot& options) {
    const Bytes slot = crypto::make_slot(secret, admin, options);
    const crypto::SlotHeader header = crypto::read_slot_header(slot);
    const std::string key = key_slot_key(header.id, 1);
    if (storage.put_new(key, slot) == ObjectStorage::PutOutcome::already_present)
        throw Error(ErrorKind::conflict, format("key slot \"{}\" exists already", key));
    return header;
}

Rotation rotate_keys(const Repository& repository, LeftBehind left_behind) {
    if (!repository.bundle())
        throw Error(ErrorKind::usage, "repository is not encrypted: there are no keys to rotate");
    ObjectStorage& storage = repository.storage();
    std::vector<crypto::KeyBundle> chain = repository.bundles();
    std::vector<SlotState> slots = list_slots(storage);
    const auto own = std::find_if(slots.begin(), slots.end(), [&](const SlotState& slot) {
        return slot.header.id == repository.opened_slot()->id;
    });
    if (own == slots.end())
        throw Error(ErrorKind::conflict, "the key slot that opened the repository was removed")
            .with_hint("What would be sealed to new keys could be read by nobody.");

    std::vector<SlotState> behind = slots_behind(slots, chain);
    Rotation rotation;
    rotation.was_resumed = !behind.empty();
    if (rotation.was_resumed && left_behind == LeftBehind::refuse) refuse_left_behind(behind);
    if (!rotation.was_resumed) {
        chain.push_back(chain.back().rotate());
        // The holder who is here first: his slot is what makes the new epoch readable.
        std::rotate(slots.begin(), own, own + 1);
        behind = std::move(slots);
    }
    for (const SlotState& slot : behind) move_to_newest(storage, slot, chain);
    rotation.epoch = chain.back().current_epoch().number;
    return rotation;
}

}  // namespace walden::vault
