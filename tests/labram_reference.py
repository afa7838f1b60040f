"""Masked pretraining and quantiser as the released code is built, plainly, for tests and benchmarks.

Codes of each batch by the frozen tokenizer's encoder and a one-hot matrix of patches by codes, attention written out,
two passes with the temporal encoder in each, boolean indexing of hidden patches (935963004/LaBraM,
engine_for_pretraining.py:78-125, modeling_finetune.py:128-161, modeling_pretrain.py:120-150 and 250-267,
norm_ema_quantizer.py:150-191). It borrows the weights of the notebook's modules.
"""

import torch
import torch.nn.functional as F

from eegemo_utils.training import autocast

NAMES = ["CZ", "O1", "T3", "A2"]  # of four electrodes, for small tests


def attention(attn, x):
    """Scores and softmax as matrices."""
    batch, length, width = x.shape
    bias = torch.cat((attn.q_bias, torch.zeros_like(attn.v_bias), attn.v_bias)) if attn.plain else None
    qkv = F.linear(x, attn.qkv.weight, bias).reshape(batch, length, 3, attn.n_heads, -1).permute(2, 0, 3, 1, 4)
    q, k, v = attn.q_norm(qkv[0]), attn.k_norm(qkv[1]), qkv[2]
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    return attn.proj((scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(batch, length, width))


def temporal_encoder(encoder, x):
    """(batch, n_chans, n_patches, 200) to (batch, n_chans * n_patches, width)."""
    batch, n_chans, n_patches, length = x.shape
    x = x.reshape(batch, 1, n_chans * n_patches, length)
    for conv, norm in ((encoder.conv1, encoder.norm1), (encoder.conv2, encoder.norm2), (encoder.conv3, encoder.norm3)):
        x = F.gelu(norm(conv(x)))
    return x.permute(0, 2, 3, 1).reshape(batch, n_chans * n_patches, -1)


def blocks(backbone, tokens, rows, class_row):
    """All tokens after the last block; patches' vectors (batch, n_tokens, width) get their places and times first."""
    batch, length, _ = tokens.shape
    n_patches = length // len(rows)
    where = backbone.pos_embed[:, rows].unsqueeze(2).expand(batch, -1, n_patches, -1).flatten(1, 2)
    when = backbone.time_embed[:, :n_patches].unsqueeze(1).expand(batch, len(rows), -1, -1).flatten(1, 2)
    first = (backbone.cls_token + backbone.pos_embed[:, class_row].unsqueeze(1)).expand(batch, -1, -1)
    tokens = torch.cat([first, tokens + where + when], dim=1)
    for block in backbone.blocks:
        told = attention(block.attn, block.norm1(tokens))
        tokens = tokens + (told if block.plain else block.gamma_1 * told)
        thought = block.mlp(block.norm2(tokens))
        tokens = tokens + (thought if block.plain else block.gamma_2 * thought)
    return tokens


def one_pass(student, x, rows, mask):
    """States of all tokens after the last norm, under one mask; the class token takes the first channel's row."""
    tokens = temporal_encoder(student.patch_embed, x)
    hidden = mask.unsqueeze(-1).type_as(tokens)
    tokens = tokens * (1 - hidden) + student.mask_token.expand(*tokens.shape[:2], -1) * hidden
    return student.norm(blocks(student, tokens, rows, rows[0]))


def masked_losses(model, x, rows, mask, codes):
    """Cross-entropies of the two views, one after the other."""
    losses = []
    for view in (mask, ~mask):
        states = one_pass(model.student, x, rows, view)[:, 1:]
        losses.append(F.cross_entropy(model.lm_head(states[view]), codes[view]))
    return losses


def tokenizer_codes(tokenizer, x, rows):
    """Codes (batch, n_tokens) by the tokenizer's encoder, the official recipe's; usage is counted in evaluation too."""
    encoder, book = tokenizer.encoder, tokenizer.quantize
    tokens = blocks(encoder, temporal_encoder(encoder.patch_embed, x), rows, 0)
    z = tokenizer.encode_task_layer(encoder.fc_norm(tokens)[:, 1:])
    codes, one_hot, _ = quantise(z.flatten(0, 1), book.embedding.weight)
    book.cluster_size.mul_(book.decay).add_(one_hot.sum(0), alpha=1 - book.decay)
    return codes.view(len(x), -1)


def outputs(model, x, rows):
    """Outputs of a model for a task (modeling_finetune.py:343-397)."""
    tokens = blocks(model, temporal_encoder(model.patch_embed, x), rows, 0)
    return model.head(model.fc_norm(tokens[:, 1:].mean(1)))


def step(model, tokenizer, x, rows, mask, optimizer, precision="float32"):
    """A whole step of masked pretraining, hit rates included; returns the two losses."""
    losses, logits = [], []
    with autocast(x.device, precision):
        with torch.no_grad():
            codes = tokenizer_codes(tokenizer, x, rows)
        for view in (mask, ~mask):
            logits.append(model.lm_head(one_pass(model.student, x, rows, view)[:, 1:][view]))
            losses.append(F.cross_entropy(logits[-1], codes[view]))
    sum(losses).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 3.0)
    optimizer.step()
    optimizer.zero_grad()
    for made, view in zip(logits, (mask, ~mask)):
        (made.max(-1)[1] == codes[view]).float().mean().item()
    return [loss.item() for loss in losses]


def quantise(z, weight):
    """Codes (n,), their one-hot matrix and the code vectors, by distances to all codes at once."""
    z = F.normalize(z, dim=-1)
    distances = z.pow(2).sum(1, keepdim=True) + weight.pow(2).sum(1) - 2 * torch.einsum("bd,nd->bn", z, weight)
    codes = distances.argmin(dim=1)
    return codes, F.one_hot(codes, len(weight)).type(z.dtype), F.embedding(codes, weight)


def quantiser_step(z, weight, decay):
    """The codebook after one training step, by products with the one-hot matrix."""
    codes, one_hot, _ = quantise(z, weight)
    counts = one_hot.sum(0)
    unused = counts == 0
    means = (F.normalize(z, dim=-1).t() @ one_hot / counts.masked_fill(unused, 1)).t()
    target = torch.where(unused[:, None], weight, F.normalize(means, dim=-1))
    return F.normalize(weight * decay + target * (1 - decay), dim=-1), codes
