#include "recovery/fetcher.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "catalog/histories.h"
#include "wal/segment_identity.h"
#include "wal/timeline_history.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <vector>

namespace walden::recovery {

namespace {

/// The first object whose key starts with `prefix` and comes after `start_after`.
std::optional<std::string> first_object(vault::ObjectStorage& storage, const std::string& prefix,
                                        const std::string& start_after) {
    std::optional<std::string> first;
    storage.list(prefix, start_after, [&](const vault::ObjectInfo& object) {
        first = object.key;
        return false;
    });
    return first;
}

/// Whether a timeline that is part of a line of descent as `span` says must have the segment.
/// Whoever left the timeline had replayed it up to the switch point, so all before the segment that
/// holds it was written. That segment itself may exist as .partial only, and behind it only an old
/// primary writes on: those may be asked for and be absent.
bool must_have(const wal::TimelineSpan& span, std::uint64_t segment_number, wal::SegmentSize size) {
    return span.end && segment_number >= wal::segment_number_of(span.begin, size) &&
           segment_number < wal::segment_number_of(*span.end, size);
}

wal::WalFileName require_wal_file_name(const std::string& file_name) {
    const auto name = wal::parse_wal_file_name(file_name);
    if (!name)
        throw Error(ErrorKind::usage,
                    format("\"{}\" is not the name of a file that PostgreSQL archives", file_name));
    return *name;
}

/// The largest page that PostgreSQL can be built with.
constexpr std::uint64_t page_size_max = 64 << 10;
/// A line for each of a hundred thousand timelines.
constexpr std::uint64_t history_size_max = 16 << 20;

/// How long ago a neighbour may have been written that is still under way: whoever publishes
/// several does so within seconds, and the clocks of two hosts may be minutes apart.
constexpr std::chrono::minutes neighbour_age_max{10};

bool is_segment(const wal::WalFileName& name) {
    return name.kind == wal::WalFileKind::segment || name.kind == wal::WalFileKind::partial;
}

}  // namespace

std::optional<FetchedFile> Fetcher::fetch(const std::string& file_name) const {
    auto entry = locate(file_name);
    if (!entry) return std::nullopt;
    FetchedFile file{.entry = std::move(*entry), .bytes = {}};
    file.bytes.resize(file.entry.plain_size);
    show(file_name, file.entry, [&](std::size_t offset, ByteView part) {
        std::ranges::copy(part, file.bytes.begin() + static_cast<std::ptrdiff_t>(offset));
    });
    return file;
}

std::optional<vault::Entry> Fetcher::locate(const std::string& file_name) const {
    const wal::WalFileName name = require_wal_file_name(file_name);
    return in_context([&] { return format("fetch {}", file_name); },
                      [&]() -> std::optional<vault::Entry> {
                          auto stored = find(name, file_name);
                          if (!stored) stored = await_neighbour(name, file_name);
                          if (stored) return std::move(stored->entry);
                          require_absence_is_plausible(name, file_name);
                          return std::nullopt;
                      });
}

std::optional<vault::Entry> Fetcher::find_entry(const std::string& file_name) const {
    const wal::WalFileName name = require_wal_file_name(file_name);
    auto stored = in_context([&] { return format("fetch {}", file_name); },
                             [&] { return find(name, file_name); });
    if (!stored) return std::nullopt;
    return std::move(stored->entry);
}

std::optional<wal::TimelineHistory> Fetcher::show(const std::string& file_name,
                                                  const vault::Entry& entry,
                                                  const codec::DecodeObserver& observe) const {
    const wal::WalFileName name = require_wal_file_name(file_name);
    const auto show_to = [&](const codec::DecodeObserver& see) {
        if (entry.file_name != file_name || entry.system_identifier != settings_.system_identifier)
            throw Error(ErrorKind::corrupt, format("entry names {} of cluster {}", entry.file_name,
                                                   entry.system_identifier));
        vault_.contents().show(entry, see);
    };
    return in_context(
        [&] { return format("fetch {}", file_name); },
        [&]() -> std::optional<wal::TimelineHistory> {
            // What is looked at: of a segment the first page, of a history all.
            const std::uint64_t kept_max = is_segment(name) ? page_size_max : history_size_max;
            Bytes kept(std::min(entry.plain_size, kept_max));
            show_to([&](std::size_t offset, ByteView part) {
                if (offset < kept.size())
                    std::ranges::copy(part.first(std::min(part.size(), kept.size() - offset)),
                                      kept.begin() + static_cast<std::ptrdiff_t>(offset));
                observe(offset, part);
            });
            if (is_segment(name)) require_sound(name, entry, kept);
            if (name.kind != wal::WalFileKind::history) return std::nullopt;
            if (kept.size() < entry.plain_size)
                throw Error(ErrorKind::corrupt,
                            format("timeline history of {} bytes is malformed", entry.plain_size));
            auto parsed = wal::parse_timeline_history(kept, name.timeline);
            if (!parsed.history)
                throw Error(ErrorKind::corrupt,
                            format("timeline history is malformed: {}", parsed.reason));
            return std::move(parsed.history);
        });
}

std::optional<vault::StoredEntry> Fetcher::find(const wal::WalFileName& name,
                                                const std::string& file_name) const {
    const vault::ClusterLayout& layout = vault_.layout();
    switch (name.kind) {
        case wal::WalFileKind::segment: return vault_.entries().find(layout.segment_key(file_name));
        case wal::WalFileKind::history: return vault_.entries().find(layout.history_key(file_name));
        case wal::WalFileKind::backup_label:
            return vault_.entries().find(layout.label_key(file_name));
        case wal::WalFileKind::partial: return find_partial(file_name);
    }
    return std::nullopt;
}

std::optional<vault::StoredEntry> Fetcher::find_partial(const std::string& file_name) const {
    std::vector<std::string> keys;
    vault_.storage().list(vault_.layout().partial_prefix(file_name), "",
                          [&](const vault::ObjectInfo& object) {
                              keys.push_back(object.key);
                              return keys.size() < 2;
                          });
    if (keys.size() > 1)
        throw Error(ErrorKind::conflict,
                    format("the archive has several variants of {}", file_name))
            .with_hint("\"walden info\" lists them. PostgreSQL never asks for such a file.");
    if (keys.empty()) return std::nullopt;
    return vault_.entries().find(keys.front());
}

/// Whether the entry under `key` was written just now, so that its writer may be about to publish
/// the ones before it. What cannot be read says nothing, and clocks differ.
bool Fetcher::was_written_recently(const std::string& key) const {
    try {
        const auto stored = vault_.entries().find(key);
        return !stored || std::abs(std::time(nullptr) - stored->entry.writer.time) <=
                              std::chrono::seconds(neighbour_age_max).count();
    } catch (const Error& error) {
        if (!is_damage(error)) throw;
        return true;
    }
}

/// The entry of a segment that appears behind a later one of its timeline, which is there.
std::optional<vault::StoredEntry> Fetcher::await_neighbour(const wal::WalFileName& name,
                                                           const std::string& file_name) const {
    constexpr std::chrono::milliseconds step{250};
    if (name.kind != wal::WalFileKind::segment) return std::nullopt;
    const vault::ClusterLayout& layout = vault_.layout();
    const std::string timeline = layout.timeline_prefix(wal::timeline_part(name.timeline));
    std::optional<vault::StoredEntry> stored;
    for (auto left = settings_.hole_patience; left.count() > 0 && !stored; left -= step) {
        const auto later = first_object(vault_.storage(), timeline, layout.segment_key(file_name));
        if (!later || !was_written_recently(*later)) return std::nullopt;
        std::this_thread::sleep_for(std::min(step, left));
        stored = find(name, file_name);
    }
    return stored;
}

void Fetcher::require_absence_is_plausible(const wal::WalFileName& name,
                                           const std::string& file_name) const {
    const vault::ClusterLayout& layout = vault_.layout();
    const std::string timeline = wal::timeline_part(name.timeline);
    if (name.kind == wal::WalFileKind::segment) {
        const auto later = first_object(vault_.storage(), layout.timeline_prefix(timeline),
                                        layout.segment_key(file_name));
        if (later)
            throw Error(ErrorKind::corrupt,
                        format("the archive has no {}, but it has {} of the same timeline: a hole, "
                               "not the end of WAL",
                               file_name, base_name(*later)))
                .with_hint(
                    "\"walden info\" shows which WAL is restorable. If the server's pg_wal "
                    "still has the file, push it.");
        require_no_later_switch(name, file_name);
    } else if (name.kind == wal::WalFileKind::history && name.timeline > 1) {
        const auto any = first_object(vault_.storage(), layout.timeline_prefix(timeline), "");
        if (any)
            throw Error(
                ErrorKind::corrupt,
                format("history is missing, the archive has WAL of timeline {}", name.timeline))
                .with_hint(
                    "Recovery cannot know where that timeline begins. If a server's pg_wal "
                    "still has the file, push it.");
    }
}

void Fetcher::require_no_later_switch(const wal::WalFileName& name,
                                      const std::string& file_name) const {
    const auto segment = wal::resolve_segment(name, settings_.segment_size);
    if (!segment) return;  // no cluster with such segments ever wrote it
    // A timeline descends from smaller ones only, so its descendants are listed behind it.
    for (const wal::TimelineId descendant : catalog::list_histories(vault_, name.timeline)) {
        const auto history =
            in_context([&] { return format("find out where timeline {} was left", name.timeline); },
                       [&] { return catalog::read_history(vault_, descendant); });
        if (!history) continue;
        for (const wal::TimelineSpan& span : history->spans())
            if (span.timeline == name.timeline &&
                must_have(span, segment->segment_number, settings_.segment_size))
                throw Error(
                    ErrorKind::missing,
                    format("the archive has no {}, but timeline {} left timeline {} behind "
                           "it, at {}: a hole, not the end of WAL",
                           file_name, history->timeline(), name.timeline, to_string(*span.end)))
                    .with_hint(
                        "The server that wrote it may have died before it archived it. \"walden "
                        "backfill\" on the server that was promoted archives what its pg_wal "
                        "still has.");
    }
}

void Fetcher::require_sound(const wal::WalFileName& name, const vault::Entry& entry,
                            ByteView first_page) const {
    const auto segment = wal::resolve_segment(name, settings_.segment_size);
    if (!segment)
        throw Error(ErrorKind::foreign,
                    format("a cluster with segments of {} bytes has no such segment",
                           settings_.segment_size.bytes()));
    const auto mismatch =
        wal::check_segment_identity(first_page, entry.plain_size,
                                    {.name = *segment,
                                     .segment_size = settings_.segment_size,
                                     .system_identifier = settings_.system_identifier,
                                     .major_version = std::nullopt});
    if (mismatch) throw Error(wal::error_kind(mismatch->problem), mismatch->text);

    const auto facts = wal::decode_facts(entry.facts);
    if (!facts) throw Error(ErrorKind::corrupt, "entry has no readable WAL facts");
    if (name.kind == wal::WalFileKind::segment && facts->is_damaged() &&
        settings_.on_damaged_wal == DamagedWalPolicy::refuse)
        throw Error(ErrorKind::corrupt,
                    format("segment was damaged already when it was archived, at {}: {}",
                           to_string(facts->stopped_at), facts->reason))
            .with_hint(
                "Recovery would end there and open the database. To go exactly that far, set "
                "fetch.on_damaged_wal = \"deliver\" and a recovery target before it.");
}

}  // namespace walden::recovery
