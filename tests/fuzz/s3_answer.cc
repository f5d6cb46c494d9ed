// Property: an answer of a store that parses keeps its promises, whatever it claims of itself; and
// what was escaped comes back.
#include "property.h"
#include "storage/s3/s3_documents.h"

using namespace walden;
using namespace walden::storage;
using namespace walden::storage::s3;

namespace {

std::size_t depth_of(const XmlElement& element) {
    std::size_t depth = 0;
    for (const XmlElement& child : element.children) depth = std::max(depth, depth_of(child));
    return depth + 1;
}

std::size_t text_size_of(const XmlElement& element) {
    std::size_t size = element.text.size();
    for (const XmlElement& child : element.children) size += text_size_of(child);
    return size;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView document(reinterpret_cast<const std::byte*>(data), size);
    if (const auto root = parse_xml(document)) {
        require_property(depth_of(*root) <= xml_depth_max, "depth is bounded");
        // UTF-16 and Latin-1 grow when they become UTF-8, by no more than this.
        require_property(text_size_of(*root) <= size * 2, "text is bounded by the input");
    }
    if (const auto page = read_list_page(document))
        require_property(page->is_truncated <= !page->next_token.empty(),
                         "a page that is not the last one says how to go on");
    if (const auto page = read_upload_page(document))
        require_property(page->is_truncated <= !page->next_key_marker.empty(),
                         "a page of uploads that is not the last one says how to go on");
    if (const auto page = read_part_page(document))
        require_property(page->is_truncated <= (page->next_part_number_marker > 0),
                         "a page of parts that is not the last one says how to go on");
    if (const auto id = read_upload_id(document)) require_property(!id->empty(), "an id is there");
    require_property(!read_completion(document) || !read_error(document),
                     "no document is a completion and an error");
    static_cast<void>(read_delete_result(document));
    static_cast<void>(read_assumed_role(document));
    return 0;
}
