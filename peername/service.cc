#include "peername/service.h"

#include "lib/log/log.h"

namespace postern::peername {

class Conversations::Conversation : public std::enable_shared_from_this<Conversation> {
  public:
    Conversation(Conversations& all, Fd socket)
        : all_(all),
          channel_(all.loop_, std::move(socket),
                   {[this](ipc::Packet packet) { on_packet(packet); },
                    [this](Error) { all_.end(this); }}) {}

  private:
    void on_packet(const ipc::Packet& packet) {
        const auto question = packet.as<ipc::NameQuestion>();
        if (!question || asked_ || packet.descriptor_count() != 0) {
            log::warning(packet.trace(),
                         question ? "unexpected message from smtpd" : question.error().what);
            return all_.end(this);
        }
        asked_ = true;
        all_.finder_.find(question->address,
                          [weak = weak_from_this()](const ipc::NameAnswer& answer) {
                              const auto self = weak.lock();
                              if (self && !self->channel_.send(answer)) self->all_.end(self.get());
                          });
    }

    Conversations& all_;
    bool asked_ = false;
    ipc::LoopChannel channel_;
};

void Conversations::serve(Fd socket) {
    auto one = std::make_shared<Conversation>(*this, std::move(socket));
    all_.emplace(one.get(), one);
}

// The last reference goes from the loop: we may be deep in its own calls.
void Conversations::end(Conversation* conversation) {
    const auto at = all_.find(conversation);
    if (at == all_.end()) return;
    loop_.post([kept = std::move(at->second)] {});
    all_.erase(at);
    session_ended_();
}

}  // namespace postern::peername
