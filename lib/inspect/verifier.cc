#include "inspect/verifier.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/guarded.h"
#include "base/parallel.h"
#include "catalog/survey.h"
#include "inspect/backup_checker.h"
#include "inspect/segment_chain.h"
#include "vault/descriptor.h"
#include "vault/repository.h"
#include "wal/timeline_history.h"

#include <algorithm>
#include <map>
#include <set>

namespace walden::inspect {

using catalog::Problem;
using catalog::problem_of;
using catalog::ProblemKind;

namespace {

/// Runs `check` (which returns a message, empty if all is well, or throws) and believes in a
/// problem only if it is still there at a second look.
template <class Check>
std::optional<Problem> look_twice(ProblemKind kind, const std::string& object, const Check& check) {
    std::optional<Problem> problem;
    for (int look = 0; look < 2; ++look) {
        problem.reset();
        try {
            const std::string message = check();
            if (message.empty()) return std::nullopt;
            problem = Problem{.kind = kind, .object = object, .message = message};
        } catch (const Error& error) {
            const auto kind_of_failure = problem_of(error);
            if (!kind_of_failure) throw;
            problem =
                Problem{.kind = *kind_of_failure, .object = object, .message = error.message()};
        }
    }
    return problem;
}

class ClusterVerifier {
public:
    ClusterVerifier(const vault::ClusterVault& vault, const VerifySettings& settings)
        : vault_(vault), settings_(settings) {}

    VerifyReport run() {
        list_objects();
        check_identity();
        if (segment_size_) {
            check_named_entries();
            check_timelines();
            check_claims();
            check_backups();
            check_unreferenced();
            check_high_water();
        }
        std::sort(report_.problems.begin(), report_.problems.end(),
                  [](const Problem& a, const Problem& b) { return a.object < b.object; });
        return std::move(report_);
    }

private:
    void add(std::optional<Problem> problem) {
        if (problem) report_.problems.push_back(std::move(*problem));
    }

    /// Keys below `prefix`, in order.
    [[nodiscard]] std::vector<std::string> keys_below(const std::string& prefix) const {
        std::vector<std::string> keys;
        for (auto it = objects_.lower_bound(prefix);
             it != objects_.end() && it->first.starts_with(prefix); ++it)
            keys.push_back(it->first);
        return keys;
    }

    void list_objects() {
        vault_.storage().list(vault_.layout().prefix(), "", [&](const vault::ObjectInfo& info) {
            objects_[info.key] = info.size;
            report_.stored_bytes += info.size;
            return true;
        });
        report_.object_count = objects_.size();
    }

    void check_identity() {
        const std::string key = vault_.layout().identity_key();
        known_.insert(key);
        std::optional<vault::ClusterIdentity> identity;
        add(look_twice(ProblemKind::missing, key, [&] {
            identity = vault_.claims().find_identity();
            return std::string(identity ? "" : "the cluster's identity is missing");
        }));
        if (!identity) return;
        segment_size_ = wal::SegmentSize::from_bytes(identity->segment_size);
        system_identifier_ = identity->system_identifier;
    }

    /// Histories, labels, partial segments and kept conflicts.
    void check_named_entries() {
        const vault::ClusterLayout& layout = vault_.layout();
        for (const std::string& prefix : {layout.history_prefix(), layout.label_prefix(),
                                          layout.conflict_prefix(), layout.damaged_prefix()})
            for (const std::string& key : keys_below(prefix)) {
                known_.insert(key);
                add(look_twice(ProblemKind::missing, key, [&] { return check_entry(key); }));
                if (prefix == layout.conflict_prefix())
                    report_.notes.push_back(
                        format("conflict kept: {} (two servers wrote this file)", key));
            }
    }

    std::string check_entry(const std::string& key) {
        const auto stored = vault_.entries().find(key);
        if (!stored) return "";  // listed before, expired since
        const vault::Entry& entry = stored->entry;
        refer_to_contents(entry);
        if (base_name(key) != entry.file_name &&
            base_name(key) != format("{}.{}", entry.file_name, to_string(entry.content_id)))
            return format("entry names {}", entry.file_name);
        Bytes bytes;
        read_or_inspect(entry, bytes);
        if (settings_.depth != Depth::full) return "";
        report_.plain_bytes += bytes.size();
        if (entry.kind != vault::FileKind::history) return "";
        const auto name = wal::parse_wal_file_name(entry.file_name);
        if (!name) return "entry has an impossible file name";
        const auto parsed = wal::parse_timeline_history(bytes, name->timeline);
        if (!parsed.history) return format("timeline history is malformed: {}", parsed.reason);
        histories_.emplace(name->timeline, *parsed.history);
        return "";
    }

    void read_or_inspect(const vault::Entry& entry, Bytes& bytes) const {
        if (settings_.depth == Depth::full) {
            vault_.contents().read(entry, bytes);
        } else if (!vault_.contents().has(entry)) {
            throw Error(ErrorKind::corrupt,
                        format("content of {} is missing, its entry is there", entry.file_name));
        }
    }

    void refer_to_contents(const vault::Entry& entry) {
        if (!entry.inlined.empty()) return;
        referenced_.with([&](std::set<std::string>& referenced) {
            for (const vault::Piece& piece : entry.pieces)
                referenced.insert(vault_.layout().content_key(entry.file_name, piece.content_id));
        });
    }

    void check_timelines() {
        for (const std::string& key : keys_below(vault_.layout().wal_prefix())) {
            const auto name = catalog::segment_of_key(key, *segment_size_);
            if (!name || vault_.layout().segment_key(to_string(*name, *segment_size_)) != key)
                continue;  // reported as extra
            known_.insert(key);
            segments_[name->timeline].push_back(name->segment_number);
        }
        for (const auto& [timeline, numbers] : segments_) {
            check_gaps(timeline, numbers);
            check_history_is_there(timeline);
        }
        for (const auto& [timeline, history] : histories_) check_descent(history);
        check_segments();
    }

    void check_gaps(wal::TimelineId timeline, const std::vector<std::uint64_t>& numbers) {
        for (std::size_t i = 1; i < numbers.size(); ++i)
            for (std::uint64_t number = numbers[i - 1] + 1; number < numbers[i]; ++number) {
                const std::string name =
                    to_string(wal::SegmentName{timeline, number}, *segment_size_);
                const std::string key = vault_.layout().segment_key(name);
                add(look_twice(ProblemKind::gap, key, [&] {
                    return vault_.entries().find(key)
                               ? std::string()
                               : format("{} is missing; recovery along timeline {} ends before it",
                                        name, timeline);
                }));
            }
    }

    /// The segment before a timeline's first is on one of its ancestors. A server that died before
    /// it archived the last of its WAL leaves a hole there that no entry knows of.
    void check_descent(const wal::TimelineHistory& history) {
        const auto own = segments_.find(history.timeline());
        if (own == segments_.end() || own->second.front() == 0) return;
        const std::uint64_t before = own->second.front() - 1;
        const auto timelines = history.timelines_of_segment(before, *segment_size_);
        const bool reaches_further_back =
            std::any_of(history.spans().begin(), history.spans().end(), [&](const auto& span) {
                const auto ancestor = segments_.find(span.timeline);
                return ancestor != segments_.end() && ancestor->second.front() < before;
            });
        if (timelines.empty() || !reaches_further_back) return;
        const std::string name =
            to_string(wal::SegmentName{timelines.back(), before}, *segment_size_);
        add(look_twice(ProblemKind::gap, vault_.layout().segment_key(name), [&] {
            for (const wal::TimelineId timeline : timelines)
                if (vault_.entries().find(vault_.layout().segment_key(
                        to_string(wal::SegmentName{timeline, before}, *segment_size_))))
                    return std::string();
            return format("{} is missing; recovery to timeline {} ends before it", name,
                          history.timeline());
        }));
    }

    void check_history_is_there(wal::TimelineId timeline) {
        if (timeline == 1) return;
        const std::string key = vault_.layout().history_key(wal::history_name(timeline));
        if (objects_.contains(key)) return;
        add(look_twice(ProblemKind::missing, key, [&] {
            return vault_.entries().find(key)
                       ? std::string()
                       : format("history of timeline {} is missing; its WAL cannot be used",
                                timeline);
        }));
    }

    void check_segments() {
        std::vector<wal::SegmentName> names;
        for (const auto& [timeline, numbers] : segments_)
            for (const std::uint64_t number : numbers) names.push_back({timeline, number});
        const ChainSettings chain_settings{.segment_size = *segment_size_,
                                           .system_identifier = system_identifier_,
                                           .reads_contents = settings_.depth == Depth::full};
        // Pieces of the line for each worker; each begins with a second reading of the segment
        // before it, which gives the record that continues across.
        constexpr std::size_t piece_size = 32;
        const std::size_t pieces = (names.size() + piece_size - 1) / piece_size;
        std::atomic<std::uint64_t> done{0};
        Guarded<VerifyReport> gathered;
        for_each_index_in_parallel(pieces, settings_.worker_count, [&](std::size_t piece) {
            SegmentChain chain(vault_, chain_settings);
            const std::size_t begin = piece * piece_size;
            if (begin > 0) chain.lead_in(names[begin - 1]);
            for (std::size_t i = begin; i < std::min(begin + piece_size, names.size()); ++i) {
                ChainLink link = chain.follow(names[i]);
                if (link.entry) refer_to_contents(*link.entry);
                gathered.with([&](VerifyReport& all) {
                    ++all.segment_count;
                    all.plain_bytes += link.plain_bytes;
                    all.record_count += link.record_count;
                    if (link.entry) all.codecs.add(*link.entry);
                    for (Problem& problem : link.problems)
                        all.problems.push_back(std::move(problem));
                    settings_.progress(++done, names.size());
                });
            }
        });
        gathered.with([&](VerifyReport& all) {
            report_.segment_count = all.segment_count;
            report_.plain_bytes += all.plain_bytes;
            report_.record_count = all.record_count;
            report_.codecs = all.codecs;
            for (Problem& problem : all.problems) report_.problems.push_back(std::move(problem));
        });
    }

    void check_claims() {
        std::set<std::string> timelines;
        for (const auto& [timeline, numbers] : segments_)
            timelines.insert(wal::timeline_part(timeline));
        for (const std::string& key : keys_below(vault_.layout().history_prefix()))
            timelines.insert(base_name(key).substr(0, 8));
        for (const std::string& timeline : timelines) check_claims_of(timeline);
        // The claim comes first on a timeline, so one without WAL is a push under way, or one that
        // was killed.
        for (const std::string& key : keys_below(vault_.layout().claims_prefix())) {
            const std::string timeline = base_name(key).substr(0, 8);
            if (!wal::parse_wal_file_name(timeline + ".history") ||
                !timelines.insert(timeline).second)
                continue;
            check_claims_of(timeline);
            report_.notes.push_back(
                format("timeline {} is claimed, nothing is archived on it yet", timeline));
        }
    }

    void check_claims_of(const std::string& timeline) {
        const std::string key = vault_.layout().claim_key(timeline, 1);
        add(look_twice(ProblemKind::missing, key, [&] {
            const auto claim = vault_.claims().find(timeline);
            if (!claim) return format("claim of timeline {} is missing", timeline);
            for (std::uint32_t i = 1; i <= claim->generation; ++i)
                known_.insert(vault_.layout().claim_key(timeline, i));
            return std::string();
        }));
    }

    void check_backups() {
        BackupChecker checker(
            vault_, settings_.depth == Depth::full ? BackupDepth::frames : BackupDepth::checksums,
            [&](const std::string& key, const BackupChecker::Look& look) {
                add(look_twice(ProblemKind::missing, key, look));
            });
        known_.merge(checker.run(keys_below(vault_.layout().backups_prefix())));
    }

    /// Contents without an entry: what a push that was killed left, or one that is under way. Both
    /// are for a name that has no entry yet; anything else does not belong there.
    void check_unreferenced() {
        const auto referenced = referenced_.with([](const auto& set) { return set; });
        std::set<std::string> copied;
        for (const auto& [key, size] : objects_) {
            if (known_.contains(key) || referenced.contains(key)) continue;
            const auto content = vault::ClusterLayout::content_of_copy(key);
            if (content && referenced.contains(*content)) {
                copied.insert(*content);
                continue;
            }
            if (key.starts_with(vault_.layout().content_prefix()) &&
                is_of_unfinished_push(content.value_or(key))) {
                report_.notes.push_back(format(
                    "content without a readable entry: {} (a push under way, or one that was "
                    "killed and will be repeated)",
                    key));
                continue;
            }
            add(look_twice(ProblemKind::extra, key, [&, &name = key] {
                return vault_.storage().stat(name) ? std::string("object belongs to nothing")
                                                   : std::string();
            }));
        }
        for (const std::string& content : copied) note_damaged_copies(content);
    }

    /// One whole copy is all that a content needs; without any, its entry is a problem already.
    void note_damaged_copies(const std::string& content) {
        std::vector<std::string> damaged;
        std::size_t whole_count = 0;
        for (const std::string& key : keys_below(content)) {
            Bytes object;
            if (!vault_.storage().get(key, object)) continue;
            try {
                vault::inspect_object_at(vault_.keys().repository(),
                                         {.kind = vault::ObjectKind::content, .key = key}, object);
                ++whole_count;
            } catch (const Error&) {
                damaged.push_back(key);
            }
        }
        if (whole_count == 0) return;
        for (const std::string& key : damaged)
            report_.notes.push_back(format(
                "damaged copy of a content that has another, whole one: {} (may be moved away)",
                key));
    }

    /// True, too, for what belongs to an entry that cannot be read: that entry is the problem.
    bool is_of_unfinished_push(const std::string& key) const {
        const std::string name = base_name(key);
        const std::size_t dot = name.find_last_of('.');
        if (dot == std::string::npos) return false;
        const auto id = crypto::parse_content_id(std::string_view(name).substr(dot + 1));
        const std::string file_name = name.substr(0, dot);
        const auto parsed = wal::parse_wal_file_name(file_name);
        if (!id || !parsed || vault_.layout().content_key(file_name, *id) != key) return false;
        if (parsed->kind != wal::WalFileKind::segment) return true;
        try {
            const auto stored = vault_.entries().find(vault_.layout().segment_key(file_name));
            // Published since the listing: then this content is the one it names.
            return !stored || stored->entry.content_id == *id || stored->entry.pieces.size() > 1;
        } catch (const Error& error) {
            if (!problem_of(error)) throw;
            return true;
        }
    }

    void check_high_water() {
        if (!settings_.high_water) return;
        const std::string key = vault_.layout().segment_key(settings_.high_water->file_name);
        add(look_twice(ProblemKind::missing, key, [&] {
            const auto stored = vault_.entries().find(key);
            if (!stored)
                return format(
                    "{} was archived from this host and is missing: the archive was "
                    "rolled back to an older state, or its end was removed",
                    settings_.high_water->file_name);
            if (stored->entry.content_id != settings_.high_water->content_id)
                return format("{} is not the one that was archived from this host",
                              settings_.high_water->file_name);
            return std::string();
        }));
    }

    const vault::ClusterVault& vault_;
    const VerifySettings& settings_;
    VerifyReport report_;
    std::optional<wal::SegmentSize> segment_size_;
    std::uint64_t system_identifier_ = 0;
    std::map<std::string, std::uint64_t> objects_;
    std::set<std::string> known_;
    Guarded<std::set<std::string>> referenced_;
    std::map<wal::TimelineId, wal::TimelineHistory> histories_;
    std::map<wal::TimelineId, std::vector<std::uint64_t>> segments_;
};

}  // namespace

VerifyReport verify_cluster(const vault::ClusterVault& vault, const VerifySettings& settings) {
    if (settings.depth == Depth::full && !vault.keys().can_read_contents())
        throw Error(ErrorKind::usage, "the key on this host can archive but not read contents")
            .with_hint(
                "Use a key with the read bundle, or --shallow to check what can be checked "
                "without it.");
    return ClusterVerifier(vault, settings).run();
}

std::vector<Problem> verify_repository(vault::ObjectStorage& storage) {
    std::vector<Problem> problems;
    std::map<std::string, std::uint32_t> newest_generation;
    std::set<std::string> slot_keys;
    const std::string descriptor(vault::descriptor_key);
    if (auto problem = look_twice(ProblemKind::missing, descriptor, [&] {
            return vault::Repository::read_descriptor(storage)
                       ? std::string()
                       : std::string(
                             "the repository's descriptor is missing: nothing is believed "
                             "to be absent without it");
        }))
        problems.push_back(std::move(*problem));
    storage.list("", "", [&](const vault::ObjectInfo& info) {
        if (info.key == vault::descriptor_key || info.key.starts_with(vault::check_prefix) ||
            vault::is_in_a_cluster(info.key))
            return true;
        const auto slot = vault::parse_key_slot_key(info.key);
        if (!slot) {
            problems.push_back({.kind = ProblemKind::extra,
                                .object = info.key,
                                .message = "object belongs to nothing"});
            return true;
        }
        slot_keys.insert(info.key);
        auto& newest = newest_generation[to_hex(slot->id)];
        newest = std::max(newest, slot->generation);
        if (auto problem = look_twice(ProblemKind::missing, info.key, [&] {
                Bytes bytes;
                if (!storage.get(info.key, bytes)) return std::string();
                const auto header = crypto::read_slot_header(bytes);
                if (header.id != slot->id || header.generation != slot->generation)
                    throw Error(ErrorKind::corrupt, "key slot was stored under another name");
                return std::string();
            }))
            problems.push_back(std::move(*problem));
        return true;
    });
    for (const auto& [id_text, newest] : newest_generation) {
        crypto::SlotId id{};
        static_cast<void>(parse_hex(id_text, id));
        for (std::uint32_t generation = 1; generation < newest; ++generation) {
            const std::string key = vault::key_slot_key(id, generation);
            if (!slot_keys.contains(key))
                problems.push_back({.kind = ProblemKind::missing,
                                    .object = key,
                                    .message = "an earlier generation of the key slot is missing: "
                                               "the slot cannot be opened"});
        }
    }
    return problems;
}

}  // namespace walden::inspect
