#include "storage/s3/xml.h"

#include <expat.h>

#include <charconv>
#include <limits>
#include <memory>

namespace walden::storage::s3 {

namespace {

struct FreeParser {
    void operator()(XML_Parser parser) const noexcept { XML_ParserFree(parser); }
};

/// What the callbacks build. The open elements hold each other: the innermost is at the back.
struct Builder {
    XML_Parser parser = nullptr;
    std::vector<XmlElement> open;
    std::optional<XmlElement> root;
    std::size_t element_count = 0;
    std::size_t text_size = 0;
    bool is_refused = false;

    void refuse() {
        is_refused = true;
        XML_StopParser(parser, XML_FALSE);
    }
};

std::string_view without_prefix(std::string_view name) {
    const std::size_t colon = name.rfind(':');
    return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

// expat is C: no exception may pass through it.
template <class Body>
void guarded(Builder& builder, const Body& body) noexcept {
    try {
        if (!builder.is_refused) body();
    } catch (...) {
        builder.refuse();
    }
}

void start_element(void* user, const XML_Char* name, const XML_Char**) noexcept {
    auto& builder = *static_cast<Builder*>(user);
    guarded(builder, [&] {
        if (builder.open.size() >= xml_depth_max || ++builder.element_count > xml_element_count_max)
            return builder.refuse();
        builder.open.push_back(
            {.name = std::string(without_prefix(name)), .text = {}, .children = {}});
    });
}

void end_element(void* user, const XML_Char*) noexcept {
    auto& builder = *static_cast<Builder*>(user);
    guarded(builder, [&] {
        XmlElement element = std::move(builder.open.back());
        builder.open.pop_back();
        if (!element.children.empty() &&
            element.text.find_first_not_of(" \t\r\n") == std::string::npos)
            element.text.clear();
        if (builder.open.empty())
            builder.root = std::move(element);
        else
            builder.open.back().children.push_back(std::move(element));
    });
}

void take_text(void* user, const XML_Char* text, int size) noexcept {
    auto& builder = *static_cast<Builder*>(user);
    guarded(builder, [&] {
        builder.text_size += static_cast<std::size_t>(size);
        // The five predefined entities and character references cannot make more of less.
        if (builder.text_size > xml_size_max) return builder.refuse();
        if (!builder.open.empty())
            builder.open.back().text.append(text, static_cast<std::size_t>(size));
    });
}

void refuse_doctype(void* user, const XML_Char*, const XML_Char*, const XML_Char*, int) noexcept {
    static_cast<Builder*>(user)->refuse();
}

std::optional<XmlElement> parse_document(ByteView document, std::string_view root_name) {
    auto root = parse_xml(document);
    if (!root || root->name != root_name) return std::nullopt;
    return root;
}

template <class Number>
std::optional<Number> number_of(std::string_view text) {
    Number number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// The inverse of "encoding-type=url", which writes a blank as "+" in some stores.
std::optional<std::string> url_decoded(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i] == '+' ? ' ' : text[i];
            continue;
        }
        if (text.size() - i < 3) return std::nullopt;
        const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

/// A key as the document writes it; nullopt if it is missing or encoded wrongly.
std::optional<std::string> key_in(const XmlElement& parent, std::string_view name,
                                  const XmlElement& root) {
    const XmlElement* element = parent.child(name);
    if (element == nullptr) return std::nullopt;
    if (root.text_of("EncodingType") == "url") return url_decoded(element->text);
    return element->text;
}

/// An ETag without the quotes that it comes in.
std::string unquoted(std::string_view text) {
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
        text = text.substr(1, text.size() - 2);
    return std::string(text);
}

}  // namespace

const XmlElement* XmlElement::child(std::string_view child_name) const {
    for (const XmlElement& candidate : children)
        if (candidate.name == child_name) return &candidate;
    return nullptr;
}

std::string_view XmlElement::text_of(std::string_view child_name) const {
    const XmlElement* element = child(child_name);
    return element == nullptr ? std::string_view() : std::string_view(element->text);
}

std::optional<XmlElement> parse_xml(ByteView document) {
    static_assert(xml_size_max <= std::numeric_limits<int>::max(), "expat takes an int");
    if (document.size() > xml_size_max) return std::nullopt;
    const std::unique_ptr<XML_ParserStruct, FreeParser> parser(XML_ParserCreate(nullptr));
    if (parser == nullptr) throw std::bad_alloc();
    Builder builder;
    builder.parser = parser.get();
    XML_SetUserData(parser.get(), &builder);
    XML_SetElementHandler(parser.get(), start_element, end_element);
    XML_SetCharacterDataHandler(parser.get(), take_text);
    XML_SetStartDoctypeDeclHandler(parser.get(), refuse_doctype);
    // S3 keeps a connection alive with white space while it completes an upload.
    std::string_view text = as_text(document);
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    const XML_Status status =
        XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()), XML_TRUE);
    if (status != XML_STATUS_OK || builder.is_refused) return std::nullopt;
    return std::move(builder.root);
}

std::optional<ErrorDocument> read_error(ByteView document) {
    const auto parsed = parse_xml(document);
    if (!parsed) return std::nullopt;
    // STS puts its <Error> into an <ErrorResponse>.
    const XmlElement* root = parsed->name == "ErrorResponse" ? parsed->child("Error") : &*parsed;
    if (root == nullptr || root->name != "Error") return std::nullopt;
    return ErrorDocument{.code = std::string(root->text_of("Code")),
                         .message = std::string(root->text_of("Message")),
                         .region = std::string(root->text_of("Region")),
                         .endpoint = std::string(root->text_of("Endpoint")),
                         .condition = std::string(root->text_of("Condition"))};
}

std::optional<ListPage> read_list_page(ByteView document) {
    const auto root = parse_document(document, "ListBucketResult");
    if (!root) return std::nullopt;
    ListPage page;
    for (const XmlElement& element : root->children) {
        if (element.name != "Contents") continue;
        auto key = key_in(element, "Key", *root);
        const auto size = number_of<std::uint64_t>(element.text_of("Size"));
        if (!key || !size) return std::nullopt;
        page.objects.push_back({.key = std::move(*key), .size = *size});
    }
    const std::string_view truncated = root->text_of("IsTruncated");
    // Without this word a first page could pass for everything.
    if (truncated != "true" && truncated != "false") return std::nullopt;
    page.is_truncated = truncated == "true";
    page.next_token = root->text_of("NextContinuationToken");
    if (page.is_truncated && page.next_token.empty()) return std::nullopt;
    return page;
}

std::optional<std::vector<DeleteFailure>> read_delete_result(ByteView document) {
    const auto root = parse_document(document, "DeleteResult");
    if (!root) return std::nullopt;
    std::vector<DeleteFailure> failures;
    for (const XmlElement& element : root->children)
        if (element.name == "Error")
            failures.push_back({.key = std::string(element.text_of("Key")),
                                .code = std::string(element.text_of("Code")),
                                .message = std::string(element.text_of("Message"))});
    return failures;
}

std::optional<std::string> read_upload_id(ByteView document) {
    const auto root = parse_document(document, "InitiateMultipartUploadResult");
    if (!root || root->text_of("UploadId").empty()) return std::nullopt;
    return std::string(root->text_of("UploadId"));
}

std::optional<CompletedUpload> read_completion(ByteView document) {
    const auto root = parse_document(document, "CompleteMultipartUploadResult");
    if (!root) return std::nullopt;
    return CompletedUpload{.crc32c = std::string(root->text_of("ChecksumCRC32C")),
                           .crc64nvme = std::string(root->text_of("ChecksumCRC64NVME"))};
}

std::optional<UploadPage> read_upload_page(ByteView document) {
    const auto root = parse_document(document, "ListMultipartUploadsResult");
    if (!root) return std::nullopt;
    UploadPage page;
    for (const XmlElement& element : root->children) {
        if (element.name != "Upload") continue;
        auto key = key_in(element, "Key", *root);
        if (!key || element.text_of("UploadId").empty()) return std::nullopt;
        page.uploads.push_back({.key = std::move(*key),
                                .upload_id = std::string(element.text_of("UploadId")),
                                .initiated = std::string(element.text_of("Initiated"))});
    }
    page.is_truncated = root->text_of("IsTruncated") == "true";
    auto next_key = key_in(*root, "NextKeyMarker", *root);
    if (page.is_truncated && (!next_key || next_key->empty())) return std::nullopt;
    page.next_key_marker = next_key.value_or("");
    page.next_upload_id_marker = root->text_of("NextUploadIdMarker");
    return page;
}

std::optional<PartPage> read_part_page(ByteView document) {
    const auto root = parse_document(document, "ListPartsResult");
    if (!root) return std::nullopt;
    PartPage page;
    for (const XmlElement& element : root->children) {
        if (element.name != "Part") continue;
        const auto number = number_of<std::uint32_t>(element.text_of("PartNumber"));
        const auto size = number_of<std::uint64_t>(element.text_of("Size"));
        if (!number || !size) return std::nullopt;
        page.parts.push_back(
            {.number = *number, .size = *size, .etag = unquoted(element.text_of("ETag"))});
    }
    page.is_truncated = root->text_of("IsTruncated") == "true";
    page.next_part_number_marker =
        number_of<std::uint32_t>(root->text_of("NextPartNumberMarker")).value_or(0);
    if (page.is_truncated && page.next_part_number_marker == 0) return std::nullopt;
    return page;
}

std::optional<AssumedRole> read_assumed_role(ByteView document) {
    const auto root = parse_document(document, "AssumeRoleWithWebIdentityResponse");
    const XmlElement* result = root ? root->child("AssumeRoleWithWebIdentityResult") : nullptr;
    const XmlElement* credentials = result != nullptr ? result->child("Credentials") : nullptr;
    if (credentials == nullptr) return std::nullopt;
    AssumedRole role{.access_key_id = std::string(credentials->text_of("AccessKeyId")),
                     .secret_access_key = std::string(credentials->text_of("SecretAccessKey")),
                     .session_token = std::string(credentials->text_of("SessionToken")),
                     .expiration = std::string(credentials->text_of("Expiration"))};
    if (role.access_key_id.empty() || role.secret_access_key.empty() || role.session_token.empty())
        return std::nullopt;
    return role;
}

std::string escape_xml(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&apos;"; break;
            default: out += c;
        }
    }
    return out;
}

}  // namespace walden::storage::s3
