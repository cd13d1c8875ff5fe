"""Records test/golden/torchVtrace.json: V-trace and IMPALA's policy gradient by PyTorch in float64, written from the
formulas of Espeholt et al. 2018 (arXiv 1802.01561) as sums, not as the recursion that we use.

Usage: python test/learner/recordVtrace.py  (the venv of bench/peers/install.sh)
"""
import json, math, pathlib

import torch

torch.set_default_dtype(torch.float64)
torch.manual_seed(3)
T, B, A = 12, 3, 4
GAMMA, RHO_BAR, C_BAR = 0.97, 1.0, 0.8


def f32(*shape, scale=1.0):
    return (torch.randn(*shape) * scale).float().double()  # exactly what the float32 side will read


behaviour = torch.log_softmax(f32(T, B, A), -1)
logits = (behaviour + f32(T, B, A, scale=0.7)).float().double().requires_grad_()
actions = torch.multinomial(behaviour.exp().reshape(-1, A), 1).reshape(T, B)
taken = lambda logp: logp.gather(-1, actions[..., None])[..., 0]
mu = taken(behaviour).float().double()
log_pi = taken(torch.log_softmax(logits, -1))
ratios = (log_pi - mu).detach().float().double().exp()

rewards, values, last = f32(T, B), f32(T, B), f32(B)
terminated = torch.rand(T, B) < 0.12
truncated = (torch.rand(T, B) < 0.12) & ~terminated
final = f32(T, B)  # the value of the observation that a truncated episode ended with
done = terminated | truncated
following = torch.cat([values[1:], last[None]])
next_values = torch.where(done, final, following).float().double()
bootstrap = torch.where(terminated, torch.zeros(()), next_values)
rho, c = ratios.clamp(max=RHO_BAR), ratios.clamp(max=C_BAR)

# v_s = V(x_s) + sum_{t >= s, same episode} gamma^(t-s) (prod_{s <= i < t} c_i) rho_t (r_t + gamma V(x_{t+1}) - V(x_t))
v = values.clone()
for b in range(B):
    for s in range(T):
        for t in range(s, T):
            trace = math.prod(c[i, b].item() for i in range(s, t))
            v[s, b] += GAMMA ** (t - s) * trace * rho[t, b] * (rewards[t, b] + GAMMA * bootstrap[t, b] - values[t, b])
            if done[t, b]:
                break
# q_s = r_s + gamma v_{s+1}, where an episode or the rollout ends with the value of what came after it
goes_on = ~done & (torch.arange(T) < T - 1)[:, None]
v_next = torch.where(goes_on, torch.cat([v[1:], last[None]]), bootstrap)
advantages = rho * (rewards + GAMMA * v_next - values)
loss = -(advantages * log_pi).mean()
loss.backward()

numbers = dict(rewards=rewards, values=values, nextValues=next_values, terminated=terminated, truncated=truncated,
               logRatios=ratios.log(), returns=v, advantages=advantages, logits=logits, actions=actions, gradient=logits.grad)
out = {name: [round(x, 12) for x in array.detach().double().flatten().tolist()] for name, array in numbers.items()}
out |= dict(steps=T, batch=B, actionCount=A, gamma=GAMMA, rhoBar=RHO_BAR, cBar=C_BAR, loss=loss.item())
path = pathlib.Path(__file__).parent.parent / "golden" / "torchVtrace.json"
path.write_text(json.dumps(out) + "\n")
