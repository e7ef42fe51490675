// Transcript: what was said in a session, for the postmaster, where notify_classes asks to hear of
// such trouble. Pure and bounded: of a long session the latest part is kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace postern::smtpd {

// Classes of notify_classes that a session can have; bits.
using Classes = std::uint8_t;
inline constexpr Classes kPolicy = 1, kProtocol = 2, kResource = 4, kSoftware = 8, kData = 16;

// Those in a list; names of other programs' classes (bounce, delay) are left out.
Classes classes_in(const std::vector<std::string>& names);

// Which class a refusal is of; 0: it is none. by_rule: a rule of policy or of cleanup refused it.
Classes class_of_reply(std::string_view reply, bool by_rule);

class Transcript {
  public:
    explicit Transcript(Classes wanted) : wanted_(wanted) {}

    // A line of the client; nothing that a password could be in.
    void in(std::string_view line);
    void in_secret();  // an answer within AUTH
    void out(std::string_view reply, bool by_rule);
    void note(std::string_view what);  // "(12 bytes of content)"
    void aborted(std::string_view reason) { aborted_ = reason; }

    // How many there are, of both sides; and a new beginning.
    std::size_t lines() const { return lines_; }
    void clear();
    bool is_wanted() const { return (seen_ & wanted_) != 0; }
    // The whole letter, in wire form. client: "name[address]".
    std::string letter(std::string_view mail_name, std::string_view to,
                       std::string_view client) const;

  private:
    void add(std::string_view prefix, std::string_view line);

    Classes wanted_;
    Classes seen_ = 0;
    std::string text_;
    std::string aborted_;
    std::size_t lines_ = 0;
    bool cut_ = false;
};

}  // namespace postern::smtpd
