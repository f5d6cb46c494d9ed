#include "archive/membership.h"

#include "archive/line_proof.h"
#include "archive/source_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/format.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>
#include <vector>

namespace walden::archive {

namespace {

/// How many of its own segments an instance compares before it gives up. pg_wal keeps at least the
/// last few of what was archived (wal_recycle, min_wal_size).
constexpr std::size_t compared_segments_max = 64;

/// Segments of `timeline` in pg_wal up to `newest`, newest first. An unreadable directory gives
/// none: then nothing is proven.
std::vector<std::string> local_segments(const std::string& directory, const std::string& timeline,
                                        const std::string& newest) {
    std::vector<std::string> names;
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), ::closedir);
    if (!dir) return names;
    while (const dirent* item = ::readdir(dir.get())) {
        const std::string name = item->d_name;
        const auto parsed = wal::parse_wal_file_name(name);
        if (parsed && parsed->kind == wal::WalFileKind::segment && name.starts_with(timeline) &&
            name <= newest)
            names.push_back(name);
    }
    std::sort(names.rbegin(), names.rend());
    if (names.size() > compared_segments_max) names.resize(compared_segments_max);
    return names;
}

}  // namespace

std::string describe_host() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) return "unknown";
    std::string host(name.data());
    try {
        if (const auto id = read_file("/etc/machine-id", 4096))
            host += format("#{}", as_text(*id).substr(0, 8));
    } catch (const Error&) {
        // A host without a readable machine id is known by its name alone.
    }
    return host;
}

void Membership::require(const Push& push) {
    const auto newest = vault_.claims().find_newest(wal::timeline_part(push.name.timeline));
    if (!newest) {
        claim_first(push);
        return;
    }
    if (newest->claim && newest->claim->instance == state_.instance()) return;
    if (state_.membership(push.name.timeline) == newest->generation) return;
    join(push, *newest);
}

void Membership::claim_first(const Push& push) {
    const vault::Claim claim{.timeline = push.name.timeline,
                             .generation = 1,
                             .instance = state_.instance(),
                             .time = std::time(nullptr),
                             .host = instance_.host,
                             .pgdata = instance_.pgdata,
                             .reason = vault::ClaimReason::first_use};
    const std::string timeline = wal::timeline_part(push.name.timeline);
    if (!vault_.claims().put(timeline, claim)) {
        // Somebody was faster, or this is our own earlier request whose answer was lost.
        const auto present = vault_.claims().find_newest(timeline);
        if (!present)
            throw Error(ErrorKind::unavailable,
                        format("claim of timeline {} was there and is gone", timeline));
        if (!present->claim || present->claim->instance != state_.instance()) {
            join(push, *present);
            return;
        }
    }
    state_.set_membership(push.name.timeline, claim.generation);
}

void Membership::join(const Push& push, const vault::NewestClaim& claim) {
    // Whoever was in before and is not any more was put out by an operator's adoption elsewhere.
    const bool was_superseded = state_.membership(push.name.timeline) != 0;
    if (was_superseded || !holds_same_wal(push, claim)) refuse(push, claim);
    state_.set_membership(push.name.timeline, claim.generation);
}

void Membership::refuse(const Push& push, const vault::NewestClaim& newest) const {
    const std::string us = format("this is instance {} on host {} for \"{}\"",
                                  to_hex(state_.instance()), instance_.host, instance_.pgdata);
    if (!newest.claim)
        throw Error(ErrorKind::conflict,
                    format("who owns timeline {} cannot be read, and this instance has not proved "
                           "that it may add to it",
                           push.name.timeline))
            .with_detail(format("{}; {}.", newest.damage, us))
            .with_hint(format("If this is the server whose WAL belongs there, run \"walden adopt "
                              "--timeline {}\" here.",
                              push.name.timeline));
    const vault::Claim& claim = *newest.claim;
    throw Error(
        ErrorKind::conflict,
        format("timeline {} belongs to another instance of this cluster", push.name.timeline))
        .with_detail(format("It was claimed by instance {} on host {} for \"{}\"; {}.",
                            to_hex(claim.instance), claim.host, claim.pgdata, us))
        .with_hint(format("Is this a clone, or a second restore that took the same timeline? If "
                          "the other instance is gone for good, run \"walden adopt --timeline "
                          "{}\" here.",
                          push.name.timeline));
}

bool Membership::holds_same_wal(const Push& push, const vault::NewestClaim& claim) const {
    const std::string timeline = wal::timeline_part(push.name.timeline);
    // A history sorts behind the segments of its timeline; any of them will do.
    const std::string newest = push.name.kind == wal::WalFileKind::segment
                                   ? to_string(push.name)
                                   : timeline + std::string(16, 'F');
    for (const std::string& name : local_segments(push.wal_directory, timeline, newest)) {
        const auto stored = vault_.entries().find(vault_.layout().segment_key(name));
        if (!stored) continue;
        const Bytes local =
            read_source_file(push.wal_directory + "/" + name, instance_.segment_size.bytes());
        // The newest one that both have decides: a fork differs there.
        return vault_.contents().id_of(local) == stored->entry.content_id;
    }
    if (continues_archive(push)) return true;
    // Nothing archived on it yet but its history: the same data directory on the same host has lost
    // its state in between. Whatever comes next is compared by content.
    bool has_wal = false;
    vault_.storage().list(vault_.layout().timeline_prefix(timeline), "",
                          [&](const vault::ObjectInfo&) {
                              has_wal = true;
                              return false;
                          });
    return !has_wal && claim.claim && claim.claim->host == instance_.host &&
           claim.claim->pgdata == instance_.pgdata;
}

/// Whether the archive's newest segment of the timeline ends where the oldest of ours begins, and a
/// record leads from there into ours: for an instance that has lost its state and whose archived
/// segments have all been recycled.
bool Membership::continues_archive(const Push& push) const {
    const wal::SegmentSize size = instance_.segment_size;
    const auto pushed = wal::resolve_segment(push.name, size);
    if (push.name.kind != wal::WalFileKind::segment || !pushed) return false;
    const std::string timeline = wal::timeline_part(pushed->timeline);
    const auto name_of = [&](std::uint64_t number) {
        return to_string(wal::SegmentName{pushed->timeline, number}, size);
    };
    const auto is_here = [&](std::uint64_t number) {
        return find_file(push.wal_directory + "/" + name_of(number)).has_value();
    };
    std::uint64_t oldest = pushed->segment_number;
    while (oldest > 0 && is_here(oldest - 1)) --oldest;
    if (oldest == 0 || !vault_.keys().can_read_contents()) return false;
    const std::string last_key = vault_.layout().segment_key(name_of(oldest - 1));
    const auto last = vault_.entries().find(last_key);
    if (!last || !has_equal_history(push)) return false;
    bool is_newest = true;
    vault_.storage().list(vault_.layout().timeline_prefix(timeline), last_key,
                          [&](const vault::ObjectInfo&) { return is_newest = false; });
    if (!is_newest) return false;
    Bytes archived;
    vault_.contents().read(last->entry, archived);
    const Bytes local = read_source_file(push.wal_directory + "/" + name_of(oldest), size.bytes());
    return prove_continuation({.name = {pushed->timeline, oldest - 1}, .bytes = archived},
                              {.name = {pushed->timeline, oldest}, .bytes = local},
                              size) == Continuation::proven;
}

/// Whether the timeline has the same beginning here as in the archive.
bool Membership::has_equal_history(const Push& push) const {
    if (push.name.timeline == 1) return true;
    const std::string name = wal::timeline_part(push.name.timeline) + ".history";
    const auto stored = vault_.entries().find(vault_.layout().history_key(name));
    const auto local = read_file(push.wal_directory + "/" + name, text_file_size_max);
    return stored && local && vault_.contents().id_of(*local) == stored->entry.content_id;
}

vault::Claim Membership::adopt(wal::TimelineId timeline, std::int64_t time) {
    const std::string text = wal::timeline_part(timeline);
    const auto present = vault_.claims().find_newest(text);
    vault::Claim claim{.timeline = timeline,
                       .generation = present ? present->generation + 1 : 1,
                       .instance = state_.instance(),
                       .time = time,
                       .host = instance_.host,
                       .pgdata = instance_.pgdata,
                       .reason = vault::ClaimReason::adopted};
    if (!vault_.claims().put(text, claim))
        throw Error(ErrorKind::conflict,
                    format("timeline {} was claimed by somebody else just now", timeline));
    state_.set_membership(timeline, claim.generation);
    return claim;
}

}  // namespace walden::archive
