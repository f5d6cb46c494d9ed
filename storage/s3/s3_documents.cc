#include "storage/s3/s3_documents.h"

#include <charconv>
#include <string_view>
#include <utility>

namespace walden::storage::s3 {

namespace {

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

}  // namespace walden::storage::s3
