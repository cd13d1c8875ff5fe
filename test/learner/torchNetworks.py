"""Our networks in PyTorch, for the scripts that record references. Layouts are ours: dense [in, out], convolutions
[k, k, in, out], frames [M, H, W, S], activations flattened channels last."""
import base64, math

import torch


def pack(x, dtype=torch.float32):
    return base64.b64encode(x.detach().to(dtype).contiguous().numpy().tobytes()).decode()


def f32(*shape, scale=1.0):
    return (torch.randn(*shape) * scale).float().double()  # exactly what the float32 side will read


def activate(x, name):
    return {"tanh": torch.tanh, "relu": torch.relu, "none": lambda v: v}[name](x)


def run_layers(part, layers, x, p):
    for i, layer in enumerate(layers):
        w, b = p[f"{part}.{i}.weight"], p[f"{part}.{i}.bias"]
        if layer["kind"] == "conv":
            y = torch.nn.functional.conv2d(x.permute(0, 3, 1, 2), w.permute(3, 2, 0, 1), b, layer["stride"]).permute(0, 2, 3, 1)
        else:
            y = x.reshape(len(x), -1) @ w + b
        x = activate(y, layer["activation"])
    return x


def dense(units, activation):
    return {"kind": "dense", "units": units, "activation": activation, "gain": 1}


def conv(filters, kernel, stride):
    return {"kind": "conv", "filters": filters, "kernel": kernel, "stride": stride, "activation": "relu", "gain": 1}


def parameter_shapes(net):
    shapes = {}

    def walk(part, layers, shape):
        for i, layer in enumerate(layers):
            if layer["kind"] == "conv":
                k, s = layer["kernel"], layer["stride"]
                shapes[f"{part}.{i}.weight"] = (k, k, shape[2], layer["filters"])
                shape = [(shape[0] - k) // s + 1, (shape[1] - k) // s + 1, layer["filters"]]
            else:
                shapes[f"{part}.{i}.weight"] = (math.prod(shape), layer["units"])
                shape = [layer["units"]]
            shapes[f"{part}.{i}.bias"] = (shape[-1],)
        return shape

    given = net["input"]["shape"]
    first = [given[1], given[2], given[0]] if net["input"]["frames"] else given
    trunk = walk("trunk", net["trunk"], first)
    walk("actor", net["actor"], trunk)
    walk("critic", net["critic"], trunk)
    if net["distribution"]["kind"] == "gaussian":
        shapes["actor.log_std"] = (net["distribution"]["actions"],)
    return shapes


def outputs(net, p, observations):
    x = observations / 255 if net["input"]["frames"] else observations
    trunk = run_layers("trunk", net["trunk"], x, p)
    policy = run_layers("actor", net["actor"], trunk, p)
    value = run_layers("critic", net["critic"], trunk, p).squeeze(-1)
    if net["distribution"]["kind"] == "categorical":
        return torch.distributions.Categorical(logits=policy), value
    return torch.distributions.Independent(torch.distributions.Normal(policy, p["actor.log_std"].exp()), 1), value
