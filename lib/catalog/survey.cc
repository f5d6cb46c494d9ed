#include "catalog/survey.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/guarded.h"
#include "base/parallel.h"
#include "catalog/histories.h"
#include "catalog/problem.h"

#include <algorithm>

namespace walden::catalog {

namespace {

/// How far back from a timeline's end a commit is looked for.
constexpr std::uint64_t commit_search_max = 16;

std::vector<std::string> list_names(const vault::ClusterVault& vault, const std::string& prefix) {
    std::vector<std::string> names;
    vault.storage().list(prefix, "", [&](const vault::ObjectInfo& info) {
        names.push_back(base_name(info.key));
        return true;
    });
    return names;
}

void add_segment(TimelineSurvey& timeline, std::uint64_t number, std::uint64_t entry_size) {
    if (timeline.runs.empty() || timeline.runs.back().last + 1 != number)
        timeline.runs.push_back({.first = number, .last = number});
    timeline.runs.back().last = number;
    ++timeline.segment_count;
    timeline.stored_bytes += entry_size;
}

/// Entries are small: what reading them takes is waiting for the store.
constexpr std::size_t entry_reader_count = 8;

class Surveyor {
public:
    Surveyor(const vault::ClusterVault& vault, wal::SegmentSize size)
        : vault_(vault), size_(size) {}

    void list_segments() {
        vault_.storage().list(vault_.layout().wal_prefix(), "", [&](const vault::ObjectInfo& info) {
            if (const auto name = segment_of_key(info.key, size_))
                add_segment(timeline(name->timeline), name->segment_number, info.size);
            return true;
        });
    }

    void list_contents() {
        const std::string prefix = vault_.layout().content_prefix();
        vault_.storage().list(prefix, "", [&](const vault::ObjectInfo& info) {
            const auto name = wal::parse_wal_file_name(base_name(info.key).substr(0, 24));
            if (name && name->kind == wal::WalFileKind::segment)
                timeline(name->timeline).stored_bytes += info.size;
            return true;
        });
    }

    void read_histories() {
        for (const wal::TimelineId id : list_histories(vault_)) {
            TimelineSurvey& survey = timeline(id);
            survey.has_history_file = true;
            if (vault_.keys().can_read_contents())
                survey.history = read_or_note([&] { return read_history(vault_, id); });
        }
    }

    void finish() {
        for (auto& [id, survey] : timelines_) {
            survey.plain_bytes = survey.segment_count * size_.bytes();
            const std::string text = wal::timeline_part(id);
            survey.owner = read_or_note([&] { return vault_.claims().find(text); });
            if (survey.runs.empty()) continue;
            survey.oldest = summarize({id, survey.runs.front().first});
            survey.newest = summarize({id, survey.runs.back().last});
            find_latest_commit(survey);
            count_codecs(survey);
        }
    }

    /// Those below damaged/ whose segment is in the archive with that content, which it may not be
    /// where another server had a good one.
    [[nodiscard]] std::vector<DamagedSegment> find_damaged() {
        std::vector<DamagedSegment> damaged;
        for (const std::string& name : list_names(vault_, vault_.layout().damaged_prefix())) {
            const std::string file_name = name.substr(0, name.find('.'));
            const auto segment = wal::parse_segment_name(file_name, size_);
            if (!segment) continue;
            const auto stored = read_or_note(
                [&] { return vault_.entries().find(vault_.layout().segment_key(file_name)); });
            if (!stored || !name.ends_with("." + to_string(stored->entry.content_id))) continue;
            const auto summary = summarize(*segment);
            if (!summary) continue;
            damaged.push_back({.file_name = file_name,
                               .stopped_at = summary->facts.stopped_at,
                               .reason = summary->facts.reason});
        }
        return damaged;
    }

    [[nodiscard]] std::vector<TimelineSurvey> take() {
        std::vector<TimelineSurvey> all;
        for (auto& [id, survey] : timelines_) all.push_back(std::move(survey));
        return all;
    }

    [[nodiscard]] std::vector<std::string> take_unreadable() { return std::move(unreadable_); }

private:
    /// What `read` returns, an optional; nullopt, and a note, where the object is damaged.
    template <class Read>
    std::invoke_result_t<Read> read_or_note(const Read& read) {
        try {
            return read();
        } catch (const Error& error) {
            if (!problem_of(error)) throw;
            note(error.message());
            return std::nullopt;
        }
    }

    /// The same entry may be read as the oldest, as the newest and for its commits.
    void note(const std::string& message) {
        if (std::find(unreadable_.begin(), unreadable_.end(), message) == unreadable_.end())
            unreadable_.push_back(message);
    }

    TimelineSurvey& timeline(wal::TimelineId id) {
        TimelineSurvey& survey = timelines_[id];
        survey.timeline = id;
        return survey;
    }

    std::optional<SegmentSummary> summarize(const wal::SegmentName& name) {
        const std::string text = to_string(name, size_);
        const std::string key = vault_.layout().segment_key(text);
        return read_or_note([&]() -> std::optional<SegmentSummary> {
            const auto stored = vault_.entries().find(key);
            if (!stored) return std::nullopt;  // expired since it was listed
            auto facts = wal::decode_facts(stored->entry.facts);
            if (!facts)
                throw Error(ErrorKind::corrupt,
                            format("entry \"{}\" has no readable WAL facts", key));
            return SegmentSummary{.file_name = text,
                                  .facts = std::move(*facts),
                                  .archived = stored->entry.writer.time};
        });
    }

    void find_latest_commit(TimelineSurvey& survey) {
        const SegmentRun& run = survey.runs.back();
        for (std::uint64_t back = 0; back < run.count() && back < commit_search_max; ++back) {
            const auto summary = summarize({survey.timeline, run.last - back});
            if (!summary || !summary->facts.facts.end_times) continue;
            survey.latest_commit = summary->facts.facts.end_times->latest;
            return;
        }
    }

    /// The newest entries, whatever run they are in. Damage among them is for `verify` to find.
    void count_codecs(TimelineSurvey& survey) {
        std::vector<std::uint64_t> numbers;
        for (auto run = survey.runs.rbegin(); run != survey.runs.rend(); ++run)
            for (std::uint64_t back = 0; back < run->count() && numbers.size() < codec_sample_max;
                 ++back)
                numbers.push_back(run->last - back);
        Guarded<CodecCounts> counts;
        for_each_in_parallel(numbers, entry_reader_count, [&](std::uint64_t number) {
            const std::string text = to_string(wal::SegmentName{survey.timeline, number}, size_);
            try {
                const auto stored = vault_.entries().find(vault_.layout().segment_key(text));
                if (stored) counts.with([&](CodecCounts& all) { all.add(stored->entry); });
            } catch (const Error& error) {
                if (!problem_of(error)) throw;
            }
        });
        survey.newest_codecs = counts.with([](CodecCounts& all) { return all; });
    }

    const vault::ClusterVault& vault_;
    wal::SegmentSize size_;
    std::map<wal::TimelineId, TimelineSurvey> timelines_;
    std::vector<std::string> unreadable_;
};

}  // namespace

const wal::TimelineHistory* ClusterSurvey::history_of(wal::TimelineId id) const {
    for (const TimelineSurvey& timeline : timelines)
        if (timeline.timeline == id && timeline.history) return &*timeline.history;
    return nullptr;
}

std::vector<wal::TimelineId> ClusterSurvey::timelines_with_history() const {
    std::vector<wal::TimelineId> ids;
    for (const TimelineSurvey& timeline : timelines)
        if (timeline.history) ids.push_back(timeline.timeline);
    return ids;
}

std::optional<wal::SegmentName> segment_of_key(const std::string& key, wal::SegmentSize size) {
    return wal::parse_segment_name(base_name(key), size);
}

ClusterSurvey survey_cluster(const vault::ClusterVault& vault, std::uint64_t system_identifier) {
    ClusterSurvey survey{.system_identifier = system_identifier,
                         .identity = vault.claims().find_identity(),
                         .timelines = {},
                         .labels = {},
                         .conflicts = {},
                         .damaged = {},
                         .unreadable = {}};
    if (!survey.identity)
        throw Error(ErrorKind::corrupt,
                    format("cluster {} has no identity in the archive", system_identifier));
    const auto size = wal::SegmentSize::from_bytes(survey.identity->segment_size);
    if (!size) throw Error(ErrorKind::corrupt, "cluster identity has an impossible segment size");
    Surveyor surveyor(vault, *size);
    surveyor.list_segments();
    surveyor.list_contents();
    surveyor.read_histories();
    surveyor.finish();
    survey.damaged = surveyor.find_damaged();
    survey.timelines = surveyor.take();
    survey.unreadable = surveyor.take_unreadable();
    survey.labels = list_names(vault, vault.layout().label_prefix());
    survey.conflicts = list_names(vault, vault.layout().conflict_prefix());
    return survey;
}

}  // namespace walden::catalog
